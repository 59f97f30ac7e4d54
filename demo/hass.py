"""Run Home Assistant without voice, cameras and radio, which need more than the locked packages.

An entity that is enabled is there at once, without half a minute for more of them to be chosen.

Home Assistant sets up every base platform at startup, even unused ones, and imports most of them for the
first browser that opens. Some need packages that have to be compiled, or programs of the system.
"""

from importlib.util import find_spec
import sys
from types import ModuleType
from typing import Final

from homeassistant import bootstrap, config_entries
from homeassistant.__main__ import main

DISABLED_PLATFORMS: Final = frozenset(
    {"ai_task", "assist_satellite", "camera", "conversation", "image_processing", "radio_frequency", "tts"}
)
STUBBED_MODULES: Final = {"pymicro_vad": "MicroVad", "pyspeex_noise": "AudioProcessor"}
"""Modules and the names imported from them, which are unused without voice."""


def disable_platforms() -> None:
    """Let Home Assistant start and open in a browser without these platforms."""
    bootstrap.DEFAULT_INTEGRATIONS -= DISABLED_PLATFORMS
    for name, wanted in STUBBED_MODULES.items():
        if find_spec(name) is None:
            module = ModuleType(name)
            setattr(module, wanted, None)
            sys.modules[name] = module


if __name__ == "__main__":
    disable_platforms()
    config_entries.RELOAD_AFTER_UPDATE_DELAY = 0
    sys.exit(main())
