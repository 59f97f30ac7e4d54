"""Another program at the same device costs retries at most, and never a wrong report."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any, Final, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.command import (
    READ_EXPORT_SETTINGS,
    READ_TELEMETRY,
    Command,
    switch_mode,
    write_export_limit,
)
from custom_components.goodwe_sec1000.sec1000.endpoint import Endpoint
from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from custom_components.goodwe_sec1000.sec1000.setting_write import NotAppliedError
from custom_components.goodwe_sec1000.sec1000.stats import RequestStats
from custom_components.goodwe_sec1000.sec1000.transport import Transaction, Transport
from simulator import Simulator
from tests.states import get_state

from .timewarp import TimeWarp

READ: Final = 0x43
FEEDBACK: Final = "sensor.sec1000_set_export_limit_feedback"


@pytest.fixture
async def device_bearing_two_programs(warp: TimeWarp) -> AsyncIterator[Simulator]:
    """Run a device that no number of requests overloads: nobody keeps two programs within one budget."""
    async with Simulator(overload=False) as simulator:
        yield simulator


@pytest.fixture
def sim(device_bearing_two_programs: Simulator) -> Simulator:
    return device_bearing_two_programs


async def set_limit(hass: HomeAssistant, limit: float) -> dict[str, Any]:
    response = await hass.services.async_call(
        DOMAIN, "set_export_limit", {"limit": limit}, blocking=True, return_response=True
    )
    assert response is not None
    return response


class OwnEndpoint(Endpoint):
    """The endpoint of another program, which shares nothing."""

    @override
    async def look_up(self) -> Transport:
        return self.transport


class OtherProgram:
    """Another program at the same device, with a transport of its own."""

    def __init__(self, sim: Simulator, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a game of chance
        self.wrote_at: list[float] = []
        """Times of its writes, successful or not."""
        self._transaction = Transaction(
            Transport(timing.STANDARD), Endpoint(sim.host, sim.port), RequestStats()
        )

    async def ask(self, *requests: Command[Any]) -> None:
        """Send requests in order, ignoring errors."""
        for request in requests:
            if request not in (READ_EXPORT_SETTINGS, READ_TELEMETRY):
                self.wrote_at.append(asyncio.get_running_loop().time())
            try:
                await self._transaction.ask(request)
            except Sec1000Error:
                continue

    async def set(self, limit: int) -> None:
        """Set a limit as other programs do."""
        await self.ask(
            write_export_limit(capacity=30_000, limit=limit, sum_of_phases=True),
            switch_mode(ControlMode.VALUE, on=True),
        )

    async def meddle(self) -> None:
        """Read every few seconds and sometimes set a limit, until cancelled."""
        while True:
            await asyncio.sleep(self.random.uniform(1, 20))
            await self.ask(READ_TELEMETRY, READ_EXPORT_SETTINGS)
            if self.random.random() < 0.6:
                # Never within the tolerance of a limit that the test sets.
                await self.set(self.random.randrange(50, 10_000, 100))


@pytest.mark.slow
async def test_other_reading_program_has_no_effect(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    other = OtherProgram(sim, seed=1)
    other.random.random = lambda: 1.0  # type: ignore[method-assign]
    meddling = asyncio.create_task(other.meddle())
    sim.requests.clear()
    for number in range(60):
        limit = number % 10
        response = await set_limit(hass, limit)
        assert (response["feedback"], sim.device.bound_limit) == (1, 1000 * limit)
        assert get_state(hass, FEEDBACK).attributes["attempts"] == 3
        await asyncio.sleep(other.random.uniform(5, 20))
    meddling.cancel()


@pytest.mark.promise("R-03")
@pytest.mark.slow
async def test_other_writing_program_costs_only_retries(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    """A reported result is true unless the other program wrote during or after the read-back."""
    loop = asyncio.get_running_loop()
    other = OtherProgram(sim, seed=2)
    meddling = asyncio.create_task(other.meddle())
    refusals: list[HomeAssistantError] = []
    done = met = 0
    for number in range(200):
        limit, began = (number % 96) * 100, loop.time()
        try:
            response = await set_limit(hass, limit / 1000)
        except HomeAssistantError as error:
            refusals.append(error)
            continue
        done += 1
        met += bool([at for at in other.wrote_at if at >= began])
        assert response["feedback"] == 1
        assert response["export_limit"] == limit / 1000
        assert get_state(hass, FEEDBACK).attributes["attempts"] <= 12
        last_read = max(request.time for request in sim.requests if request.raw[4] == READ)
        if not [at for at in other.wrote_at if at >= began]:
            assert sim.device.bound_limit == limit
        elif not [at for at in other.wrote_at if at >= last_read]:
            assert sim.device.limit == limit
        await asyncio.sleep(other.random.uniform(5, 20))
    meddling.cancel()
    assert all(isinstance(error.__cause__, NotAppliedError) for error in refusals)
    assert done >= 195
    assert met >= 5


@pytest.mark.promise("R-03")
async def test_two_home_assistants_report_true_results(warp: TimeWarp, sim: Simulator) -> None:
    """Two clients with separate transports: each reports whether its own limit is in force."""
    clients = [Sec1000Client(sim.host, sim.port) for _ in range(2)]
    clients[1].endpoint = OwnEndpoint(sim.host, sim.port)
    random = Random(3)  # noqa: S311 - a game of chance

    async def command(client: Sec1000Client, limits: range) -> list[str]:
        """Set the limits in order and return the wrong reports."""
        wrong = []
        for limit in limits:
            target = ExportTarget(ControlMode.VALUE, 30_000, limit, sum_of_phases=True)
            try:
                settings = await client.apply(target)
            except NotAppliedError as error:
                settings = error.held
                if settings.limit == limit:
                    wrong.append(f"{limit} W is set and reported as not applied")
            else:
                if settings.limit != limit:
                    wrong.append(f"{settings.limit} W is set and reported as {limit} W")
            await client.read_telemetry()
            await asyncio.sleep(random.uniform(0, 15))
        return wrong

    results = await asyncio.gather(
        command(clients[0], range(0, 5_000, 100)), command(clients[1], range(5_000, 10_000, 100))
    )
    assert not any(results), results
    assert sim.connections_open == 0
    alone = await clients[0].apply(ExportTarget(ControlMode.VALUE, 30_000, 7_770, sum_of_phases=True))
    assert alone.limit == sim.device.bound_limit == 7_770
