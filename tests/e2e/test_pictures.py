"""The screenshots of the README can be taken: all elements that scripts/screenshots needs exist."""

from pathlib import Path

import pytest

from tests.screenshots.camera import MAX_BYTES, Camera
from tests.screenshots.pictures import COPIED, NAMES, take_all

from .device import SimulatedDevice
from .home import Home
from .screen import Screen

pytestmark = pytest.mark.long


def test_every_screenshot_can_be_taken(
    home: Home, added: SimulatedDevice, screen: Screen, tmp_path: Path
) -> None:
    screen.open_integration()
    take_all(home, added, screen, Camera(screen.page, tmp_path / "pictures"), recording_ms=0)
    for dashboard in screen.call("lovelace/dashboards/list"):
        if dashboard["url_path"] == COPIED:
            screen.call("lovelace/dashboards/delete", dashboard_id=dashboard["id"])
    taken = {picture.stem: picture.stat().st_size for picture in (tmp_path / "pictures").iterdir()}
    assert set(taken) == set(NAMES)
    assert max(taken.values()) <= MAX_BYTES
