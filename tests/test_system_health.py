"""System information shows the state of the devices without a request to any of them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.system_health import DOMAIN as SYSTEM_HEALTH
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from .entries import entry_of
from .flow_steps import TEXTS
from .pending_restore import store_pending

pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")

type PassTime = Callable[[float], Awaitable[None]]


async def information(hass: HomeAssistant) -> dict[str, Any]:
    """Return what System information shows; each line has a name."""
    assert await async_setup_component(hass, SYSTEM_HEALTH, {})
    shown: dict[str, Any] = await get_system_health_info(hass, DOMAIN)
    assert shown.keys() == TEXTS["system_health"]["info"].keys()
    return shown


async def test_health_of_answering_device(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.requests.clear()
    shown = await information(hass)
    assert sim.requests == []
    assert dt_util.utcnow() - shown.pop("oldest_answer") < timedelta(minutes=1)
    assert shown.pop("version")
    assert shown == {
        "devices": 1,
        "loaded": 1,
        "answering": 1,
        "without_telemetry": 0,
        "left_alone": 0,
        "restoring": 0,
        "failed_requests": "0 / 2",
        "requests_left": 12,
        "budget_empty": "0 s",
    }


async def test_health_of_device_in_back_off(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    answered_at = (await information(hass))["oldest_answer"]
    sim.inject("wrong-checksum")
    for _ in range(5):
        await pass_time(61)
    sim.requests.clear()
    shown = await information(hass)
    assert sim.requests == []
    assert shown["answering"] == 0
    assert shown["left_alone"] == 1
    assert shown["oldest_answer"] == answered_at
    failed, asked = shown["failed_requests"].split(" / ")
    assert int(failed) == int(asked) - 2


async def test_health_of_firmware_without_telemetry(
    pass_time: PassTime, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("no-telemetry")
    assert await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(2):
        await pass_time(31)
    shown = await information(hass)
    assert (shown["answering"], shown["without_telemetry"]) == (1, 1)


async def test_health_counts_limit_being_restored(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, hass_storage: dict[str, Any]
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    sim.inject("silence")
    store_pending(hass_storage, entry, sim)
    assert await hass.config_entries.async_setup(entry.entry_id)
    shown = await information(hass)
    assert (shown["restoring"], shown["answering"], shown["oldest_answer"]) == (1, 0, "–")


async def test_health_counts_devices_and_names_none(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    async with Simulator() as second:
        for name, disabled_by in (("Barn", None), ("Shed", ConfigEntryDisabler.USER)):
            other = entry_of(second, name)
            object.__setattr__(other, "disabled_by", disabled_by)
            other.add_to_hass(hass)
        second.inject("refused")
        assert not await hass.config_entries.async_setup(
            hass.config_entries.async_entries(DOMAIN)[1].entry_id
        )
        shown = await information(hass)
        assert (shown["devices"], shown["loaded"], shown["answering"]) == (2, 1, 1)
        # It is pasted into public bug reports.
        assert "Barn" not in str(shown)
        assert sim.host not in str(shown)


async def test_health_without_device(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    shown = await information(hass)
    assert shown["devices"] == 0
    assert shown["oldest_answer"] == "–"


async def test_health_page_gets_a_date(
    hass: HomeAssistant, loaded: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    assert await async_setup_component(hass, SYSTEM_HEALTH, {})
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "system_health/info"})
    assert (await client.receive_json())["success"]
    info = (await client.receive_json())["event"]["data"][DOMAIN]["info"]
    assert info["oldest_answer"]["type"] == "date"
    assert info["answering"] == 1
