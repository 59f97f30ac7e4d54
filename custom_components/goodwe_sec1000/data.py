"""Runtime data of a config entry."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .control.actions import ExportControl
from .coordinator import Sec1000Coordinator


@dataclass(frozen=True, slots=True)
class Sec1000Data:
    """The coordinator, which reads the device, and the actions, which write to it."""

    coordinator: Sec1000Coordinator
    export: ExportControl


type Sec1000ConfigEntry = ConfigEntry[Sec1000Data]
