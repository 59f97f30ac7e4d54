"""Runs Home Assistant without what wants more than the locked packages: voice, cameras and radio.

Home Assistant sets every base platform up at its start, also those nobody uses, and imports most of them for
the first browser that opens. Some need packages that have to be compiled, or programs of the system.
"""

from importlib.util import find_spec
import sys
from types import ModuleType
from typing import Final

from homeassistant import bootstrap
from homeassistant.__main__ import main

LEFT_OUT: Final = frozenset(
    {"ai_task", "assist_satellite", "camera", "conversation", "image_processing", "radio_frequency", "tts"}
)
STOOD_IN_FOR: Final = {"pymicro_vad": "MicroVad", "pyspeex_noise": "AudioProcessor"}
"""What the imports ask for; without voice, nobody calls it."""


def leave_out() -> None:
    """Make Home Assistant start and open in a browser without these platforms."""
    bootstrap.DEFAULT_INTEGRATIONS -= LEFT_OUT
    for name, wanted in STOOD_IN_FOR.items():
        if find_spec(name) is None:
            module = ModuleType(name)
            setattr(module, wanted, None)
            sys.modules[name] = module


if __name__ == "__main__":
    leave_out()
    sys.exit(main())
