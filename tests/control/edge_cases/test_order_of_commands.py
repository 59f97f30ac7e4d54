"""What overlaps: what is told OK holds, the latest command wins, and no option is lost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.goodwe_sec1000.const import CONF_PUT_BACK
from custom_components.goodwe_sec1000.issues import Issue
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from simulator.protocol import DRED, SET_CLOCK, TELEMETRY, VALUE, WRITE_LIMIT
from tests.calls import act, control, is_off, keep_busy, load, outcomes, requested, suspend_limit
from tests.repair_flow import Repair
from tests.states import get_state
from tests.test_options_flow import changing

DELAYS: Final = (0, 0.02, 0.05, 0.2, 0.5, 0.8, 1.3, 1.8)
"""How long (s) the second of two commands comes after the first."""


@pytest.mark.promise("R-07", "R-08")
@pytest.mark.parametrize("delay", DELAYS)
class TestChangeOfOptions:
    async def test_enable_after_lower_maximum_stays_below_it(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        first = act(hass, "set_max_export_limit", limit=3)
        await asyncio.sleep(delay)
        second = act(hass, "export_enable")
        assert await outcomes(first, second) == [1, 1]
        assert sim.device.bound_limit == 3_000
        assert loaded.options["max_export_limit"] == 3
        assert is_off(hass, "limit_differs")

    @pytest.mark.usefixtures("loaded")
    async def test_limit_above_lowered_maximum_is_corrected(
        self, hass: HomeAssistant, sim: Simulator, delay: float
    ) -> None:
        first = act(hass, "set_max_export_limit", limit=4)
        await asyncio.sleep(delay)
        second = act(hass, "set_export_limit", limit=9)
        assert await outcomes(first, second) == [1, 129]
        assert sim.device.bound_limit == 4_000

    async def test_mode_change_in_options_survives_a_limit(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        submitted = asyncio.create_task(walk.submit(export_limit_control_mode="rcr", scan_three_phases=False))
        await asyncio.sleep(delay)
        limit = act(hass, "set_export_limit", limit=2)
        await outcomes(submitted, limit)
        assert walk.outcome == "saved"
        assert (sim.device.mode, sim.device.limit) == (ControlMode.RCR, 2_000)
        assert sim.device.sum_of_phases is False
        assert loaded.options["export_limit_control_mode"] == "rcr"
        assert is_off(hass, "limit_differs")

    async def test_measurement_change_survives_a_reset(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        submitted = asyncio.create_task(walk.submit(scan_three_phases=False))
        await asyncio.sleep(delay)
        reset = act(hass, "reset_export_watchdog")
        await outcomes(submitted, reset)
        assert sim.device.sum_of_phases is False
        assert sim.device.bound_limit == 10_000

    @pytest.mark.promise("R-13")
    async def test_chosen_mode_of_deactivated_device_survives_a_limit(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, delay: float
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        hass.config_entries.async_update_entry(
            entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
        )
        await load(hass, entry)
        mode = control(hass, "select", "select_option", "control_mode", option="value")
        await asyncio.sleep(delay)
        limit = act(hass, "set_export_limit", limit=2)
        results = await outcomes(mode, limit)
        assert not any(isinstance(result, BaseException) for result in results)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 2_000)


@pytest.mark.promise("R-07")
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize(
    ("domain", "service", "entity", "data"),
    [
        ("number", "set_value", "maximum_export_limit", {"value": 9}),
        ("select", "select_option", "control_mode", {"option": "value"}),
    ],
)
async def test_disable_after_change_of_options_wins(
    hass: HomeAssistant,
    sim: Simulator,
    loaded: MockConfigEntry,
    delay: float,
    domain: str,
    service: str,
    entity: str,
    data: Mapping[str, object],
) -> None:
    first = control(hass, domain, service, entity, **data)
    await asyncio.sleep(delay)
    second = act(hass, "export_disable")
    _, answer = await outcomes(first, second)
    assert answer == 1
    assert sim.device.bound_limit == 0
    assert hass.states.get("switch.sec1000_export_to_grid").state == "off"  # type: ignore[union-attr]


@pytest.mark.promise("R-07")
async def test_disable_after_a_dragged_maximum_wins(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    sim.requests.clear()
    dragged = []
    for step in range(60):
        dragged.append(control(hass, "number", "set_value", "maximum_export_limit", value=10 - step / 20))
        await asyncio.sleep(0.05)
    disable = act(hass, "export_disable")
    *ended, answer = await outcomes(*dragged, disable)
    # A value that a newer one of the same number superseded is no failure.
    assert ended == [None] * 60
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert answer == 1
    assert sim.device.bound_limit == 0
    assert loaded.options["max_export_limit"] == 10 - 59 / 20
    assert len(sim.requests) <= 30


def feedbacks(hass: HomeAssistant) -> dict[str, str]:
    """Return the feedback of the two actions as which a toggle reports."""
    return {
        action: get_state(hass, f"sensor.sec1000_export_{action}_feedback").state
        for action in ("disable", "enable")
    }


@pytest.mark.usefixtures("loaded")
class TestToggle:
    @pytest.fixture
    async def busy(self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry) -> AsyncIterator[None]:
        """Have commands wait behind a clock that is not acknowledged."""
        assert loaded.state is ConfigEntryState.LOADED
        clock = await keep_busy(hass, sim)
        yield
        await clock

    @pytest.mark.usefixtures("busy")
    async def test_two_toggles_at_once_cancel_out(self, hass: HomeAssistant, sim: Simulator) -> None:
        first, second = await outcomes(act(hass, "export_toggle"), act(hass, "export_toggle"))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 10_000
        # Both were begun as a disable; what the second turned out to be takes nothing from the first.
        assert feedbacks(hass) == {"disable": "2", "enable": "1"}

    @pytest.mark.usefixtures("busy")
    async def test_toggle_after_waiting_enable_disables(self, hass: HomeAssistant, sim: Simulator) -> None:
        sim.device.limit = 0
        first, second = await outcomes(act(hass, "export_enable"), act(hass, "export_toggle"))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 0

    @pytest.mark.usefixtures("busy")
    async def test_limit_supersedes_waiting_toggle(self, hass: HomeAssistant, sim: Simulator) -> None:
        first, second = await outcomes(act(hass, "export_toggle"), act(hass, "set_export_limit", limit=3))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 3_000

    async def test_toggle_goes_by_what_the_device_holds_now(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.device.limit = 0
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == 10_000
        assert feedbacks(hass) == {"disable": "0", "enable": "1"}

    async def test_two_toggles_while_a_restore_is_pending_cancel_out(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        reset = await suspend_limit(hass, sim)
        sim.inject("silence")
        await outcomes(reset)
        sim.clear_faults()
        await hass.config_entries.async_reload(loaded.entry_id)
        # Where they wait for the budget, the first one is superseded instead.
        transport = loaded.runtime_data.coordinator.client.transport
        transport.timing = replace(transport.timing, refill=0)
        toggles = act(hass, "export_toggle"), act(hass, "export_toggle")
        assert await outcomes(*toggles) == [1, 1]
        assert sim.device.bound_limit == 10_000

    async def test_toggle_of_a_limit_within_tolerance_enables(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.device.limit = 40
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == 10_000

    @pytest.mark.parametrize("delay", [0, 0.2, 0.8])
    async def test_toggle_after_enable_that_runs_disables(
        self, hass: HomeAssistant, sim: Simulator, delay: float
    ) -> None:
        await outcomes(act(hass, "export_disable"))
        await asyncio.sleep(20)
        enable = act(hass, "export_enable")
        await asyncio.sleep(delay)
        _, answer = await outcomes(enable, act(hass, "export_toggle"))
        assert answer == 1
        assert sim.device.bound_limit == 0


@pytest.mark.promise("R-07", "R-12")
class TestRefusedCommand:
    @pytest.mark.parametrize("invalid", ["abc", 99])
    async def test_invalid_maximum_drops_no_valid_one(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, invalid: object
    ) -> None:
        clock = await keep_busy(hass, sim)
        valid = act(hass, "set_max_export_limit", limit=3)
        await asyncio.sleep(0.1)
        _, answer, refused = await outcomes(clock, valid, act(hass, "set_max_export_limit", limit=invalid))
        assert answer == 1
        assert isinstance(refused, HomeAssistantError)
        assert sim.device.bound_limit == 3_000
        assert loaded.options["max_export_limit"] == 3

    @pytest.mark.usefixtures("loaded")
    async def test_refused_deactivation_drops_no_mode(self, hass: HomeAssistant, sim: Simulator) -> None:
        clock = await keep_busy(hass, sim)
        rcr = control(hass, "select", "select_option", "control_mode", option="rcr")
        await asyncio.sleep(0.1)
        deactivate = control(hass, "select", "select_option", "control_mode", option="deactivated")
        _, answer, refused = await outcomes(clock, rcr, deactivate)
        assert answer is None
        assert isinstance(refused, HomeAssistantError)
        assert sim.device.mode is ControlMode.RCR

    async def test_refused_disable_drops_no_limit(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
    ) -> None:
        hass.config_entries.async_update_entry(
            entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
        )
        await load(hass, entry)
        clock = await keep_busy(hass, sim)
        limit = act(hass, "set_export_limit", limit=3)
        await asyncio.sleep(0.1)
        _, answer, refused = await outcomes(clock, limit, act(hass, "export_disable"))
        assert answer == 1
        assert isinstance(refused, HomeAssistantError)
        assert sim.device.bound_limit == 3_000

    @pytest.mark.usefixtures("loaded")
    async def test_invalid_command_does_not_cut_a_reset_short(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        reset = await suspend_limit(hass, sim)
        answer, refused = await outcomes(reset, act(hass, "set_max_export_limit", limit="abc"))
        assert answer == 1
        assert isinstance(refused, HomeAssistantError)

    async def test_minimum_refused_in_the_end_supersedes_none(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
    ) -> None:
        hass.config_entries.async_update_entry(entry, options={**entry.options, "max_export_limit": 2.0})
        await load(hass, entry)
        clock = await keep_busy(hass, sim)
        maximum = act(hass, "set_max_export_limit", limit=10)
        minimum = act(hass, "set_min_export_limit", limit=2)
        # Needs the maximum before it, which the one after it supersedes.
        refused = act(hass, "set_min_export_limit", limit=10)
        results = await outcomes(
            clock, maximum, minimum, refused, act(hass, "set_max_export_limit", limit=10)
        )
        assert isinstance(results[1], HomeAssistantError)
        assert results[2] == 1
        assert isinstance(results[3], HomeAssistantError)
        assert results[4] == 1
        assert (entry.options["min_export_limit"], entry.options["max_export_limit"]) == (2, 10)

    async def test_maximum_below_a_waiting_minimum_fails_alone(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit(max_export_limit=3)
        clock = await keep_busy(hass, sim)
        minimum = act(hass, "set_min_export_limit", limit=4)
        window = asyncio.create_task(walk.submit())
        await asyncio.sleep(0.1)
        enable = act(hass, "export_enable")
        _, minimum_set, _, enabled = await outcomes(clock, minimum, window, enable)
        assert (minimum_set, enabled) == (1, 1)
        assert walk.step == "control"
        assert walk.errors
        assert (loaded.options["min_export_limit"], loaded.options["max_export_limit"]) == (4, 10)
        assert sim.device.bound_limit == 10_000


@pytest.mark.promise("R-07")
@pytest.mark.usefixtures("loaded")
async def test_limit_called_before_a_reset_is_set_before_it(hass: HomeAssistant, sim: Simulator) -> None:
    # The next one has to wait until one more change of the limit may be sent.
    for limit in (5, 6, 7):
        await outcomes(act(hass, "set_export_limit", limit=limit))
    since = len(sim.requests)
    disable = act(hass, "export_disable")
    await asyncio.sleep(0.1)
    assert await outcomes(disable, act(hass, "reset_export_watchdog")) == [1, 1]
    commands = [command for command, _ in requested(sim, since)]
    assert commands.index(WRITE_LIMIT) < commands.index(DRED)


@pytest.mark.promise("R-07")
class TestOptionsWindow:
    @pytest.mark.parametrize("delay", [0.3, 1.0, 3.0])
    async def test_maximum_wins_over_older_window_with_a_new_interval(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded, scan_interval=20)
        await walk.submit(max_export_limit=9)
        # The poll that follows a new interval is slow.
        sim.inject("silence", commands=(TELEMETRY,), count=1)
        window = asyncio.create_task(walk.submit())
        await asyncio.sleep(delay)
        _, answer = await outcomes(window, act(hass, "set_max_export_limit", limit=5))
        assert answer == 1
        assert loaded.options["max_export_limit"] == 5
        assert sim.device.bound_limit == 5_000

    async def test_window_leaves_what_it_did_not_change(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        await outcomes(act(hass, "set_max_export_limit", limit=3))
        await walk.submit(scan_three_phases=False)
        assert walk.outcome == "saved"
        assert loaded.options["max_export_limit"] == 3
        assert (sim.device.bound_limit, sim.device.sum_of_phases) == (3_000, False)


@pytest.mark.promise("R-07", "R-08")
@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
@pytest.mark.parametrize(("action", "limit"), [("set_max_export_limit", 3), ("set_export_limit", 4)])
async def test_repair_of_a_drift_keeps_what_a_newer_command_set(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    sim: Simulator,
    entry: MockConfigEntry,
    action: str,
    limit: int,
) -> None:
    assert await async_setup_component(hass, REPAIRS, {})
    client = await hass_client()
    await load(hass, entry)
    sim.device.limit = sim.device.bound_limit = 15_000
    await asyncio.sleep(70)
    texts = {"name": "SEC1000", "mode": "Value", "limit": "10.00 kW"}
    Issue.LIMIT_KEEPS_DRIFTING.async_raise(hass, entry.entry_id, texts)
    repair = await Repair(hass, client, f"limit_keeps_drifting_{entry.entry_id}").start()
    assert repair.step == "put_back"
    newer = act(hass, action, limit=limit)
    await asyncio.sleep(0.2)
    await repair.submit()
    assert await outcomes(newer) == [1]
    assert repair.success_text
    assert sim.device.bound_limit == limit * 1_000


@pytest.mark.promise("R-07", "R-22")
@pytest.mark.usefixtures("loaded")
async def test_newer_limit_ends_reset_that_waits_for_older_one(hass: HomeAssistant, sim: Simulator) -> None:
    sim.inject("effect-then-silence", count=1)
    older = act(hass, "set_export_limit", limit=5)
    await sim.wait_for_requests(len(sim.requests) + 1)
    reset = act(hass, "reset_export_watchdog")
    await asyncio.sleep(0.1)
    newer = act(hass, "set_export_limit", limit=1)
    [error] = await outcomes(reset)
    assert isinstance(error, HomeAssistantError)
    assert error.translation_key == "superseded"
    assert await outcomes(older, newer) == [1, 1]
    assert (VALUE, b"\x02") not in requested(sim)
    assert sim.device.bound_limit == 1_000


@pytest.mark.promise("R-15")
async def test_drift_is_corrected_beside_calls_of_something_else(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    options = {**loaded.options, CONF_PUT_BACK: True}
    hass.config_entries.async_update_entry(loaded, options=options)
    sim.inject("silence", commands=(SET_CLOCK,))
    clocks = [act(hass, "set_datetime")]
    sim.device.limit = sim.device.bound_limit = 20_000
    for _ in range(7):
        await asyncio.sleep(20)
        clocks.append(act(hass, "set_datetime"))
    assert sim.device.bound_limit == 10_000
    await outcomes(*clocks)


@pytest.mark.promise("R-08")
@pytest.mark.usefixtures("loaded")
async def test_reset_in_other_mode_restores_no_limit_above_maximum(
    hass: HomeAssistant, sim: Simulator
) -> None:
    sim.device.mode, sim.device.limit = ControlMode.RCR, 25_000
    assert await outcomes(act(hass, "reset_export_watchdog")) == [1]
    assert (sim.device.mode, sim.device.limit) == (ControlMode.RCR, 10_000)
