"""Actions need permission for the device; what leaves Home Assistant is redacted."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import groupby
import json
from typing import Any
from unittest.mock import patch

from homeassistant.auth.models import User
from homeassistant.auth.permissions import PolicyPermissions
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized, UnknownUser
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.diagnostics import async_get_config_entry_diagnostics
from custom_components.goodwe_sec1000.sec1000.transport import EXCHANGES_KEPT
from simulator import Simulator


async def disable_as(hass: HomeAssistant, user: User) -> None:
    await hass.services.async_call(
        DOMAIN, "export_disable", {}, blocking=True, context=Context(user_id=user.id)
    )


async def test_user_without_control_of_switch_is_refused(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    guest = MockUser(groups=[]).add_to_hass(hass)
    sim.requests.clear()
    with pytest.raises(Unauthorized):
        await disable_as(hass, guest)
    assert sim.requests == []


async def test_user_with_control_of_switch_is_allowed(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    allowed = {"entities": {"entity_ids": {"switch.sec1000_export_to_grid": {"control": True}}}}
    user = MockUser(groups=[])
    user.mock_policy(allowed)
    user.add_to_hass(hass)
    assert isinstance(user.permissions, PolicyPermissions)
    await disable_as(hass, user)
    assert sim.device.bound_limit == 0


async def test_administrator_and_automation_are_allowed(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, hass_admin_user: User
) -> None:
    await disable_as(hass, hass_admin_user)
    assert sim.device.bound_limit == 0
    await hass.services.async_call(DOMAIN, "export_enable", {}, blocking=True)
    assert sim.device.bound_limit == 10_000


async def test_deleted_user_is_refused(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    with pytest.raises(UnknownUser):
        await hass.services.async_call(
            DOMAIN, "export_disable", {}, blocking=True, context=Context(user_id="gone")
        )


async def test_diagnostics_redact_host_and_name_only(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    hass.config_entries.async_update_entry(
        loaded, data={**loaded.data, "host": "secret.example", "name": "Villa"}
    )
    diagnostics = await async_get_config_entry_diagnostics(hass, loaded)
    text = json.dumps(diagnostics)
    assert "secret.example" not in text
    assert "Villa" not in text
    assert sim.host not in text
    assert diagnostics["snapshot"]["settings"]["limit"] == 10_000
    assert diagnostics["entry"]["options"]["scan_interval"] == 30
    assert diagnostics["answered_at"]
    assert (diagnostics["serves_telemetry"], diagnostics["left_alone"]) == (True, False)
    assert [exchange["outcome"] for exchange in diagnostics["exchanges"]] == ["ok", "ok"]
    assert diagnostics["exchanges"][0]["request"] == "00050101430045"
    assert diagnostics["report"]["verdict"] == "as_documented"
    assert "Settings (0x43): 1 of 1" in diagnostics["report"]["facts"][0]


async def test_diagnostics_have_details_of_failed_action(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await sim.stop()
    with pytest.raises(HomeAssistantError):
        await hass.services.async_call(DOMAIN, "set_datetime", {}, blocking=True)
    diagnostics = await async_get_config_entry_diagnostics(hass, loaded)
    assert diagnostics["snapshot"]["feedback"]["set_datetime"] == {
        "feedback": 64,
        "attempts": 3,
        "detail": "set the clock: Connection refused",
    }
    assert sim.host not in json.dumps(diagnostics)


async def test_diagnostics_say_who_asked_and_for_how_long(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    coordinator = loaded.runtime_data.coordinator
    await coordinator.read_settings()
    for action in ("get_export_limit", "set_datetime", "export_disable"):
        await hass.services.async_call(DOMAIN, action, {}, blocking=True)
    sim.inject("silence", count=1)
    await coordinator.async_refresh()
    exchanges = (await async_get_config_entry_diagnostics(hass, loaded))["exchanges"]
    askers = [name for name, _ in groupby(exchange["asked_by"] for exchange in exchanges)]
    assert askers == [
        "setup",
        "poll",
        "settings",
        "get_export_limit",
        "set_datetime",
        "export_disable",
        "poll",
    ]
    # The silence lasts as long as a request may, which is 1 s here; the answer to the next try comes at once.
    assert [round(exchange["seconds"]) for exchange in exchanges[-2:]] == [1, 0]


async def test_diagnostics_of_failed_entry_have_frames(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("wrong-checksum")
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["entry"]["state"] == "setup_retry"
    assert diagnostics["exchanges"][0]["answer"]
    assert "checksum" in diagnostics["report"]["unusual"][0]
    assert diagnostics["outcomes"] == {"ChecksumError": len(diagnostics["exchanges"])}
    assert sim.host not in json.dumps(diagnostics)


async def test_diagnostics_count_outcomes_of_all_requests(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    for _ in range(EXCHANGES_KEPT):
        await loaded.runtime_data.coordinator.read_settings()
    await sim.stop()
    await loaded.runtime_data.coordinator.read_settings()
    diagnostics = await async_get_config_entry_diagnostics(hass, loaded)
    assert len(diagnostics["exchanges"]) == EXCHANGES_KEPT
    assert diagnostics["outcomes"] == {"ok": 2 + EXCHANGES_KEPT, "ConnectionFailedError": 3}


@pytest.mark.promise("R-30")
async def test_integration_connects_to_device_only(
    pass_time: Callable[[float], Awaitable[None]], hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    talked_to: set[tuple[Any, Any]] = set()
    real: Any = hass.loop.create_connection

    async def connect(factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        # The simulator accepts connections by the same call, with a socket instead of an address.
        if more.get("sock") is None:
            talked_to.add((host, port))
        return await real(factory, host, port, **more)

    refused = AssertionError("the integration opens a port")
    with (
        patch.object(hass.loop, "create_connection", connect),
        patch.object(hass.loop, "create_server", side_effect=refused),
        patch.object(hass.loop, "create_datagram_endpoint", side_effect=refused),
        patch.object(asyncio, "start_server", side_effect=refused),
    ):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await pass_time(61)
        for action in ("export_disable", "set_datetime", "reset_export_watchdog", "get_export_limit"):
            await hass.services.async_call(DOMAIN, action, {}, blocking=True)
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert talked_to == {(sim.host, sim.port)}
