"""Whether export to the grid is on: told from the snapshot, in one place for all who show it."""

from .coordinator import Snapshot
from .options import ExportOptions
from .sec1000.model import ControlMode


def export_is_on(snapshot: Snapshot, options: ExportOptions) -> bool | None:
    """Return False only where the limit is what decides and lets through no more than the minimum.

    None where that is not known. While a limit is off and being restored, export is on.
    """
    if snapshot.note:
        return True
    if (settings := snapshot.settings) is None:
        return None
    return settings.mode is not ControlMode.VALUE or settings.limit > options.min_export_limit
