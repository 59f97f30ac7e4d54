"""Runtime data of a config entry."""

from dataclasses import dataclass, field

from homeassistant.config_entries import ConfigEntry

from .control.actions import ExportControl
from .coordinator import Sec1000Coordinator
from .entity_commands import EntityCommands


@dataclass(frozen=True, slots=True)
class Sec1000Data:
    """The coordinator, which reads the device, the actions, which write to it, and who gave a command."""

    coordinator: Sec1000Coordinator
    export: ExportControl
    commands: EntityCommands = field(default_factory=EntityCommands)


type Sec1000ConfigEntry = ConfigEntry[Sec1000Data]
