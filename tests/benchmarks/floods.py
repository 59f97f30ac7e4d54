"""Floods of calls in virtual time: requests in the worst hour, and how long a limit and a poll wait."""

from typing import Final

from tests.virtual_time.floods import FLOODS, HOUR_S, LONGEST_TELEMETRY_S, LONGEST_WISH_S

from .measured_tests import properties_of
from .report import Figure, Goal, Table
from .scale import Scale

TESTS: Final = "tests/virtual_time/test_floods.py"


async def flooded(scale: Scale) -> Table:
    """Run the tests of the floods, and report what they measured."""
    length = "a day" if scale.long_floods else "an hour"
    table = Table(
        "Floods",
        f"{length.capitalize()} of each in virtual time, with the standard pauses, by `{TESTS}`: a Home "
        "Assistant with a device that bears 7 requests in 30 s for any time, and 40 at once. None of them "
        "exhausts it. A wish is a call that says what limit is to hold; it is sent when a limit is written "
        "after it, its own or a newer one. Telemetry is as old as the time from one measurement to the next.",
    )
    measured = await _measured(long=scale.long_floods)
    for flood in FLOODS:
        for interval, (requests, wish, telemetry) in measured[flood.name].items():
            name = f"{flood.name}, polled every {interval} s"
            most = Goal(flood.most_requests(HOUR_S))
            table.figures.append(Figure(f"{name}: requests in the worst hour", "", [requests], most))
            if wish:
                oldest = Goal(LONGEST_WISH_S)
                table.figures.append(Figure(f"{name}: oldest wish not sent", "s", [wish], oldest))
            oldest = Goal(LONGEST_TELEMETRY_S)
            table.figures.append(Figure(f"{name}: oldest telemetry", "s", [telemetry], oldest))
    return table


async def _measured(*, long: bool) -> dict[str, dict[int, tuple[float, float, float]]]:
    """Return requests in the worst hour, oldest wish and telemetry (s), by flood and refresh interval."""
    found: dict[str, dict[int, tuple[float, float, float]]] = {}
    for of in await properties_of(TESTS, "-n", "2", *(["--long"] if long else [])):
        found.setdefault(of["flood"], {})[int(of["interval"])] = (
            float(of["worst_hour"]),
            float(of["oldest_wish"]),
            float(of["oldest_telemetry"]),
        )
    return found
