"""Automations that give the name of a device, as the older integration wanted it, keep working."""

from collections.abc import AsyncIterator
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from tests.entries import entry_of

from .older import migrate, older_entry

ACTIONS = [
    *("export_disable", "export_enable", "export_toggle", "get_export_limit", "set_datetime"),
    *("reset_export_watchdog", "set_export_limit", "set_min_export_limit", "set_max_export_limit"),
]


@pytest.fixture
async def barn() -> AsyncIterator[Simulator]:
    """Run a second device."""
    async with Simulator() as simulator:
        yield simulator


async def act(hass: HomeAssistant, action: str, **data: Any) -> None:
    await hass.services.async_call(DOMAIN, action, data, blocking=True)


async def named(hass: HomeAssistant, sim: Simulator, name: str) -> MockConfigEntry:
    """Set up a device under this name."""
    entry = entry_of(sim, name)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.mark.parametrize("action", ACTIONS)
async def test_each_action_accepts_device_name(hass: HomeAssistant, device: Simulator, action: str) -> None:
    await migrate(hass, older_entry())
    data = {"limit": 5} if action.startswith("set_") and action != "set_datetime" else {}
    await act(hass, action, device="device_1", **data)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("Device 1", "device_1"),
        ("Device 1", "DEVICE_1"),
        ("Device 1", "Device 1"),
        ("Device 1", "  device 1 "),
        ("E04M80", "e04m80"),
        ("Garáž na dvore", "gar_na_dvore"),
        ("Garáž na dvore", "garaz_na_dvore"),
        ("Garáž na dvore", "GARÁŽ NA DVORE"),
        ("A name of more than twenty letters", "a_name_of_more_than_"),
        ("A name of more than twenty letters", "a_name_of_more_than_twenty_letters"),
        ("Гараж", "device"),
        ("17", 17),
    ],
)
async def test_device_is_found_by_name_and_by_its_slug(
    hass: HomeAssistant, sim: Simulator, barn: Simulator, name: str, device: str
) -> None:
    await named(hass, sim, name)
    await named(hass, barn, "Barn")
    await act(hass, "export_disable", device=device)
    assert (sim.device.limit, barn.device.limit) == (0, 10_000)
    await act(hass, "export_disable", device="barn")
    assert barn.device.limit == 0


async def test_empty_device_name_is_ignored(hass: HomeAssistant, device: Simulator) -> None:
    await migrate(hass, older_entry())
    await act(hass, "export_disable", device="")
    assert device.device.limit == 0


async def test_unknown_device_name_is_refused_with_known_ones(
    hass: HomeAssistant, sim: Simulator, barn: Simulator
) -> None:
    await named(hass, sim, "Device 1")
    await named(hass, barn, "Barn")
    with pytest.raises(ServiceValidationError, match=r"named attic\. Available: Device 1, Barn"):
        await act(hass, "export_disable", device="attic")
    assert (sim.device.limit, barn.device.limit) == (10_000, 10_000)


async def test_device_name_without_any_entry_is_refused(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(ServiceValidationError, match="No GoodWe SEC1000/S is set up"):
        await act(hass, "export_disable", device="attic")


async def test_ambiguous_device_name_needs_entry_id(
    hass: HomeAssistant, sim: Simulator, barn: Simulator
) -> None:
    first = await named(hass, sim, "Device 1")
    second = await named(hass, barn, "Device-1")
    with pytest.raises(ServiceValidationError, match="More than one") as refused:
        await act(hass, "export_disable", device="device_1")
    assert first.entry_id in str(refused.value)
    assert second.entry_id in str(refused.value)
    await act(hass, "export_disable", device="device_1", config_entry_id=second.entry_id)
    assert (sim.device.limit, barn.device.limit) == (10_000, 0)
    await act(hass, "export_disable", device="device 1")
    assert sim.device.limit == 0


async def test_device_name_and_entry_id_must_agree(
    hass: HomeAssistant, sim: Simulator, barn: Simulator
) -> None:
    house = await named(hass, sim, "House")
    await named(hass, barn, "Barn")
    with pytest.raises(ServiceValidationError, match="is not named barn"):
        await act(hass, "export_disable", device="barn", config_entry_id=house.entry_id)
    with pytest.raises(ServiceValidationError, match="no such"):
        await act(hass, "export_disable", device="barn", config_entry_id="no such")
    with pytest.raises(ServiceValidationError, match="named attic"):
        await act(hass, "export_disable", device="attic", config_entry_id=house.entry_id)
    assert (sim.device.limit, barn.device.limit) == (10_000, 10_000)
    await act(hass, "export_disable", device="house", config_entry_id=house.entry_id)
    assert sim.device.limit == 0


async def test_script_of_older_integration_runs(hass: HomeAssistant, device: Simulator) -> None:
    await migrate(hass, older_entry())
    seven = {
        "service": "goodwe_sec1000.set_export_limit",
        "data": {"limit": "{{ 14 / 2 }}", "device": "device_1"},
    }
    assert await async_setup_component(hass, "script", {"script": {"seven": {"sequence": [seven]}}})
    await hass.services.async_call("script", "seven", blocking=True)
    assert device.device.limit == 7_000


async def test_limit_from_card_may_be_template(hass: HomeAssistant, device: Simulator) -> None:
    """Home Assistant renders no templates in the actions of cards; the older integration did it itself."""
    await migrate(hass, older_entry())
    hass.states.async_set("input_number.export_limit", "6.5")
    await act(hass, "set_export_limit", limit="{{ states('input_number.export_limit') | float }}")
    assert device.device.limit == 6_500


@pytest.mark.parametrize(
    "limit",
    ["{{ states('input_number.none') }}", "{{ 'x' | float }}", "{{ 1 +", "{% if %}", "{{ 'a' * }}", "{#"],
)
async def test_template_that_renders_no_number_is_refused(
    hass: HomeAssistant, device: Simulator, limit: str
) -> None:
    await migrate(hass, older_entry())
    with pytest.raises(ServiceValidationError, match="not a valid number"):
        await act(hass, "set_export_limit", limit=limit)
    assert device.device.limit == 10_000


async def test_action_system_started_is_gone(hass: HomeAssistant, device: Simulator) -> None:
    await migrate(hass, older_entry())
    assert sorted(hass.services.async_services_for_domain(DOMAIN)) == sorted([*ACTIONS, "test_export_limit"])
