"""The control port: its commands, and the answers to invalid ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
import json
from typing import Any

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, Simulator
from simulator.control import Control

from . import wire
from .wire import ask, status

type Send = Callable[[object], Awaitable[dict[str, Any]]]


@pytest.fixture
async def send(sim: Simulator) -> AsyncIterator[Send]:
    """Return a function that sends a command, or raw bytes, and returns the answer."""
    control = Control(sim)
    reader, writer = await asyncio.open_connection("127.0.0.1", await control.start(0))

    async def send_and_receive(command: object) -> dict[str, Any]:
        writer.write(command if isinstance(command, bytes) else json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(5):
            answer: dict[str, Any] = json.loads(await reader.readline())
        return answer

    yield send_and_receive
    await control.stop()
    writer.close()


async def test_fault_command_injects_and_clear_command_ends_faults(sim: Simulator, send: Send) -> None:
    assert await send({"do": "fault", "name": "close-before-answer", "count": 1, "commands": [0x43]}) == {
        "ok": True
    }
    assert await ask(sim, wire.TELEMETRY)
    assert await ask(sim, wire.READ_LIMIT) == b""
    await send({"do": "fault", "name": "nak"})
    await send({"do": "fault", "name": "http", "chance": 0.5})
    await send({"do": "clear", "name": "nak"})
    assert sim.faults == ("http",)
    await send({"do": "clear"})
    assert not sim.faults


async def test_state_command_returns_the_true_state(sim: Simulator, send: Send) -> None:
    await status(sim, wire.WRITE_5_KW)
    await status(sim, wire.SET_CLOCK)
    state = await send({"do": "state"})
    assert state["ok"] is True
    assert (state["mode"], state["limit"], state["bound_limit"]) == ("value", 5_000, 10_000)
    assert (state["capacity"], state["ct_ratio"], state["sum_of_phases"]) == (30_000, 200, True)
    assert state["clock_set_to"] == "2026-03-29T02:03:04"
    assert state["requests"] == 2
    assert state["listening"] is True
    assert state["exhausted"] is False
    assert state["house"]["heater"] is False
    assert state["telemetry"]["meter_power"] == sum(state["telemetry"]["power"])
    await status(sim, wire.VALUE_OFF)
    assert (await send({"do": "state"}))["bound_limit"] is None


async def test_requests_command_returns_received_requests(sim: Simulator, send: Send) -> None:
    await ask(sim, wire.TELEMETRY)
    answer = await send({"do": "requests"})
    assert [request["raw"] for request in answer["requests"]] == [wire.TELEMETRY.hex()]


async def test_limits_command_returns_armings_and_unlimited_time(sim: Simulator, send: Send) -> None:
    await status(sim, wire.VALUE_OFF)
    (gap,) = (await send({"do": "limits"}))["unlimited"]
    assert gap["end"] is None
    assert (await send({"do": "state"}))["unlimited"] is True
    await status(sim, wire.VALUE_ON)
    answer = await send({"do": "limits"})
    assert [(arming["mode"], arming["limit"]) for arming in answer["armings"]] == [("value", 10_000)] * 2
    assert answer["unlimited"] == [{"start": gap["start"], "end": answer["armings"][1]["time"]}]
    assert (await send({"do": "state"}))["unlimited"] is False


async def test_event_command_triggers_house_event(sim: Simulator, send: Send) -> None:
    assert await send({"do": "event", "name": "heater-on"}) == {"ok": True}
    assert sim.house.heater


async def test_set_command_changes_settings_in_force(sim: Simulator, send: Send) -> None:
    assert await send({"do": "set", "mode": "deactivated", "capacity": 9_000}) == {"ok": True}
    assert (sim.device.mode, sim.device.capacity) == (ControlMode.DEACTIVATED, 9_000)
    await send({"do": "set", "mode": "value", "limit": 1_230, "sum_of_phases": False, "ct_ratio": 3})
    assert (sim.device.bound_limit, sim.device.sum_of_phases, sim.device.ct_ratio) == (1_230, False, 3)


async def test_hold_command_fixes_telemetry_until_release(sim: Simulator, send: Send) -> None:
    await send({"do": "hold"})
    assert sim.telemetry() == CAPTURED
    fixed = {
        "voltage": [1, 2, 3],
        "current": [4, 5, 6],
        "power": [7, 8, 9],
        "meter_power": 24,
        "inverter_power": 0,
    }
    assert await send({"do": "hold", **fixed}) == {"ok": True}
    assert sim.telemetry().power == (7, 8, 9)
    await send({"do": "release"})
    assert sim.telemetry().power != (7, 8, 9)


async def test_stop_start_and_restart_commands(sim: Simulator, send: Send) -> None:
    assert await send({"do": "stop"}) == {"ok": True}
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.TELEMETRY)
    assert await send({"do": "start"}) == {"ok": True}
    assert await ask(sim, wire.TELEMETRY)
    sim.overload.exhaust()
    await send({"do": "restart"})
    assert not sim.overload.exhausted


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (b"nonsense\n", "one JSON object"),
        (b"\xff\xfe\n", "one JSON object"),
        (b"[1]\n", "one JSON object"),
        ({}, "'do' has to be a text"),
        ({"do": "dance"}, "unknown command 'dance'; there are fault"),
        ({"do": "fault"}, "'name' has to be a text"),
        ({"do": "fault", "name": "nakk"}, "did you mean nak"),
        ({"do": "fault", "name": "nak", "count": True}, "whole number"),
        ({"do": "fault", "name": "nak", "count": 0}, "1 or more"),
        ({"do": "fault", "name": "nak", "chance": "x"}, "has to be a number"),
        ({"do": "fault", "name": "nak", "chance": float("nan")}, "above 0"),
        ({"do": "fault", "name": "nak", "commands": 66}, "has to be a list"),
        ({"do": "event", "name": "eclipse"}, "unknown event"),
        ({"do": "set", "mode": "off"}, "no control mode"),
        ({"do": "set", "capacity": -1}, "0 to 2147483647"),
        ({"do": "set", "sum_of_phases": 1}, "true or false"),
        ({"do": "set", "colour": "red"}, "has no colour"),
        ({"do": "hold", "voltage": [1, 2]}, "each of the three phases"),
        ({"do": "hold", "voltage": [1, 2, float("inf")]}, "within 10000000 of 0"),
    ],
)
async def test_invalid_command_is_answered_with_a_sentence(
    sim: Simulator, send: Send, command: object, sentence: str
) -> None:
    answer = await send(command)
    assert answer["ok"] is False
    assert sentence in answer["error"]
    assert sim.device.mode is ControlMode.VALUE
    assert (await send({"do": "state"}))["ok"] is True


async def test_endless_line_closes_the_connection(sim: Simulator) -> None:
    control = Control(sim)
    reader, writer = await asyncio.open_connection("127.0.0.1", await control.start(0))
    writer.write(b"x" * 100_000)
    async with asyncio.timeout(5):
        # The end, or a reset where the kernel still held some of the line.
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    await control.stop()
