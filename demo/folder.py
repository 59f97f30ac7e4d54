"""The folder of a demo: Home Assistant's configuration, its history and the logs."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from importlib.util import find_spec
import json
from pathlib import Path
import re
import shutil
from typing import Final

from .dashboard import dashboard
from .errors import RefusedError
from .options import CHECKOUT
from .ports import LOOPBACK

_LINKS: Final = {
    "configuration.yaml": CHECKOUT / "demo" / "configuration.yaml",
    "custom_components/goodwe_sec1000": CHECKOUT / "custom_components" / "goodwe_sec1000",
}
_SIMULATOR_LINKS: Final = {
    "packages/simulated_house.yaml": CHECKOUT / "demo" / "simulated_house_package.yaml",
}
_EDITED_IN_THE_BROWSER: Final = ("automations.yaml", "scripts.yaml")


class Folder:
    """The folder of one demo; each device has its own, so that their histories do not mix."""

    def __init__(self, root: Path, device: str | None) -> None:
        """Use the folder of the device at an address, or of the simulator (None)."""
        self._is_simulated = device is None
        name = "simulator" if device is None else "device-" + re.sub(r"[^\w.-]", "-", device)
        self.path = root / name
        self.config = self.path / "config"
        self._past_mark = self.path / "has-a-past"
        # Beside the folder, which a fresh start removes.
        self._lock = root / f"{name}.lock"

    @property
    def has_past(self) -> bool:
        """Whether its history began with simulated days."""
        return self._past_mark.exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder; raises RefusedError if another demo uses it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError(f"The demo in {self.path} is already running. Stop it first.") from None
            yield

    def prepare(self, port: int, *, fresh: bool, past: bool = False) -> None:
        """Create the files that Home Assistant needs; existing ones are kept, unless `fresh`.

        Raises RefusedError for a `past` in a folder that already has a history.
        """
        if fresh:
            shutil.rmtree(self.path)
        if past:
            if self.config.exists():
                raise RefusedError("Only a new demo can be given a past: add --fresh.")
            self.config.mkdir(parents=True)
            self._past_mark.touch()
        storage = self.config / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        links = _LINKS | (_SIMULATOR_LINKS if self._is_simulated else {})
        for name, target in links.items():
            link = self.config / name
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        for name in _EDITED_IN_THE_BROWSER:
            (self.config / name).touch()
        shown = dashboard(simulated=self._is_simulated, has_past=self.has_past)
        (self.config / "dashboard.yaml").unlink(missing_ok=True)
        (self.config / "dashboard.yaml").write_text(json.dumps(shown, indent=2))
        self._configure_http(port)
        if not (storage / "onboarding").exists():
            # All but the login: these steps would add integrations that use the Internet.
            _store(storage, "onboarding", 4, {"done": ["core_config", "analytics", "integration"]})

    def _configure_http(self, port: int) -> None:
        address = {"server_host": [LOOPBACK], "server_port": port}
        packages = self.config / "packages"
        packages.mkdir(exist_ok=True)
        if find_spec("homeassistant.components.http.config"):
            # Once an address is stored, Home Assistant ignores one in YAML and raises a repair issue.
            _store(self.config / ".storage", "http", 1, address)
        else:
            # Older versions store none. JSON is YAML.
            (packages / "http.yaml").write_text(json.dumps({"http": address}))


def _store(storage: Path, key: str, version: int, data: object) -> None:
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content, indent=2))
