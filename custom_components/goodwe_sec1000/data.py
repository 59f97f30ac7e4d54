"""What a loaded config entry holds."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .control.actions import ExportControl
from .coordinator import Sec1000Coordinator


@dataclass(frozen=True, slots=True)
class Sec1000Data:
    """The two ways through the house: up from the device, and down to it."""

    coordinator: Sec1000Coordinator
    export: ExportControl


type Sec1000ConfigEntry = ConfigEntry[Sec1000Data]
