"""A device whose entry is migrated, or is to be, is not set up a second time."""

import socket
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
import pytest

from simulator import Simulator
from tests.flow_steps import start_setup

from .older import migrate, older_entry


async def test_migrated_device_is_not_set_up_twice(hass: HomeAssistant, device: Simulator) -> None:
    await migrate(hass, older_entry())
    walk = await start_setup(hass)
    await walk.submit(name="Again", host=" 127.0.0.1 ", port=device.port)
    assert walk.outcome == "already_configured"


async def test_device_to_be_migrated_is_not_set_up_twice(hass: HomeAssistant, device: Simulator) -> None:
    entry = older_entry({"host": "127.0.0.1"}, host="192.0.2.1")
    entry.add_to_hass(hass)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    walk = await start_setup(hass)
    await walk.submit(name="Again", host="127.0.0.1", port=device.port)
    assert walk.outcome == "already_configured"


async def test_entry_without_host_blocks_no_address(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve_nothing(*_arguments: Any, **_more: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve_nothing)
    entry = older_entry(host=None)
    entry.add_to_hass(hass)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    walk = await start_setup(hass)
    await walk.submit(name="Another", host="127.0.0.1", port=sim.port)
    assert walk.step == "export_limits"


async def test_another_device_can_be_set_up_beside_migrated_one(
    hass: HomeAssistant, device: Simulator
) -> None:
    await migrate(hass, older_entry())
    walk = await start_setup(hass)
    async with Simulator() as other:
        await walk.submit(name="Other", host=other.host, port=other.port)
        assert walk.step == "export_limits"
