"""From the call of an action until the meter shows that the inverters keep the new limit, in virtual time."""

from typing import Final

from .measured_tests import properties_of
from .report import Figure, Goal, Table
from .scale import Scale

TESTS: Final = "tests/virtual_time/test_quick_polls.py"
SEEN_WITHIN_S: Final = {1: 6, 18: 6, 30: 15, 90: 30}
"""How long after the inverters have reacted, by how long that takes them."""


async def seen_at_the_meter(_scale: Scale) -> Table:
    """Run the tests of the quick polls, and report what they measured."""
    table = Table(
        "Until the meter proves it",
        f"From the call of the action, in virtual time, with the standard pauses, by `{TESTS}`: a device is "
        "polled every ten minutes, so that only the polls after the change of the limit can show it. The "
        "meter falls when the inverters react.",
    )
    measured = await properties_of(TESTS, "-k", "test_meter_proves")
    for each in measured:
        reaction, seconds = int(each["reacts_after"]), float(each["seen_after"])
        name = f"inverters react after {reaction} s"
        table.figures.append(Figure(name, "s", [seconds], Goal(reaction + SEEN_WITHIN_S[reaction])))
    return table
