"""Examples of the documents that do more than one call, tried with a device."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from unittest.mock import patch

from homeassistant.components.number import NumberEntity
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, setup_test_component_platform

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from demo.options import CHECKOUT
from simulator import Simulator

from .calls import act, outcomes
from .documents import example
from .states import get_state, show_in

EXAMPLES: Final = CHECKOUT / "docs" / "examples.md"
BESIDE_GOODWE: Final = CHECKOUT / "docs" / "beside-goodwe.md"
DIFFERS: Final = "binary_sensor.inverters_differ_from_the_controller"


class InverterLimit(NumberEntity):
    """The limit of an inverter, which is read only when that is asked for, as by Home Assistant's GoodWe."""

    _attr_should_poll = False
    _attr_native_max_value = 10_000

    def __init__(self, number: int) -> None:
        """Begin with half of the controller's 10 kW."""
        self.entity_id = f"number.inverter_{number}_grid_export_limit"
        self._attr_native_value = self.held = 5_000.0

    async def async_update(self) -> None:
        """Read what the inverter holds."""
        self._attr_native_value = self.held


@pytest.fixture
async def inverters(hass: HomeAssistant) -> list[InverterLimit]:
    """Set up the limits of two inverters."""
    limits = [InverterLimit(1), InverterLimit(2)]
    setup_test_component_platform(hass, "number", limits)
    assert await async_setup_component(hass, "number", {"number": {"platform": "test"}})
    return limits


@pytest.fixture
async def compared(
    hass: HomeAssistant, inverters: list[InverterLimit], loaded: MockConfigEntry
) -> AsyncIterator[None]:
    """Set up the template that compares them with the device."""
    assert await async_setup_component(hass, "homeassistant", {})
    config = example(BESIDE_GOODWE, "Did the limit reach the inverters?")
    assert await async_setup_component(hass, "template", config)
    await hass.async_block_till_done()
    yield
    # Its triggers would outlive the test.
    with patch("homeassistant.config.load_yaml_config_file", return_value={"template": []}):
        await hass.services.async_call("template", "reload", blocking=True)


@pytest.mark.usefixtures("warp", "compared")
class TestInvertersDiffer:
    async def test_is_off_while_shares_add_up(self, hass: HomeAssistant) -> None:
        await asyncio.sleep(3600)
        assert get_state(hass, DIFFERS).state == "off"

    async def test_goes_on_where_an_inverter_holds_another_limit(
        self, hass: HomeAssistant, inverters: list[InverterLimit]
    ) -> None:
        inverters[1].held = 10_000
        await asyncio.sleep(3600)
        assert get_state(hass, DIFFERS).state == "on"
        assert get_state(hass, DIFFERS).attributes["inverters"] == 15

    async def test_judges_a_new_limit_five_minutes_later(
        self, hass: HomeAssistant, inverters: list[InverterLimit]
    ) -> None:
        [feedback] = await outcomes(act(hass, "set_export_limit", limit=4))
        assert feedback == 1
        for inverter in inverters:
            inverter.held = 2_000
        await asyncio.sleep(301)
        assert get_state(hass, DIFFERS).state == "off"
        assert get_state(hass, DIFFERS).attributes["inverters"] == 4

    async def test_unit_shown_does_not_matter(self, hass: HomeAssistant) -> None:
        for entity_id in ("number.sec1000_export_limit", "sensor.sec1000_export_limit"):
            await show_in(hass, entity_id, "W")
        await asyncio.sleep(3600)
        assert get_state(hass, DIFFERS).state == "off"

    async def test_is_unavailable_in_another_mode(self, hass: HomeAssistant, sim: Simulator) -> None:
        sim.device.mode = ControlMode.RCR
        await asyncio.sleep(3660)
        assert get_state(hass, DIFFERS).state == "unavailable"


@pytest.mark.promise("R-26")
@pytest.mark.usefixtures("loaded")
async def test_limit_of_shutdown_example_stays_in_device(hass: HomeAssistant, sim: Simulator) -> None:
    automation = example(EXAMPLES, "A certain limit while Home Assistant is off")
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()
    assert sim.device.bound_limit == 10_000
    await hass.async_stop()
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 0)
