"""Runs Home Assistant without the platforms that want more than the locked packages.

It sets every base platform up at its start, also those nobody uses. These need a compiler or programs
of the system, for voice, cameras and radio; a demo without them would greet with errors.
"""

import sys
from typing import Final

from homeassistant import bootstrap
from homeassistant.__main__ import main

LEFT_OUT: Final = frozenset(
    {"ai_task", "assist_satellite", "camera", "conversation", "image_processing", "radio_frequency", "tts"}
)

if __name__ == "__main__":
    bootstrap.DEFAULT_INTEGRATIONS -= LEFT_OUT
    sys.exit(main())
