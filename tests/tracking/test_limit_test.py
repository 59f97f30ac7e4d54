"""A test of the limit is never wrong, whatever clouds, appliances and inverters do."""

from collections.abc import Callable

import pytest

from custom_components.goodwe_sec1000.tracking.limit_test import LimitTest, LimitTestReason, Step

from .limit_test_days import Behaviour, Trial, trials

DAYS, ALL_DAYS = 12, 1_000


@pytest.fixture(scope="module")
def days(pytestconfig: pytest.Config) -> list[Trial]:
    """Return the tests of random days, on as many of which each behaviour is met."""
    behaviours = [*Behaviour]
    number = ALL_DAYS if pytestconfig.getoption("long") else DAYS
    return [trial for day in range(number) for trial in trials(day, behaviours[day % len(behaviours)])]


@pytest.mark.promise("R-36")
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_no_result_is_false_on_random_days(
    days: list[Trial], record_property: Callable[[str, object], None]
) -> None:
    steady = [trial for trial in days if trial.is_steady]
    conclusive = [trial for trial in days if trial.is_conclusive]
    record_property("conclusive", len(conclusive) / len(days))
    record_property("conclusive where steady", sum(trial.is_conclusive for trial in steady) / len(steady))
    assert [trial for trial in days if trial.is_false("passed")] == []
    assert [trial for trial in days if trial.is_false("failed")] == []


def test_most_tests_are_conclusive_on_random_days(days: list[Trial], long_run: bool) -> None:
    steady = [trial.is_conclusive for trial in days if trial.is_steady]
    assert sum(trial.is_conclusive for trial in days) >= 0.6 * len(days)
    assert sum(steady) >= (0.95 if long_run else 0.9) * len(steady)


def test_limit_that_is_never_armed_fails_where_conclusive(days: list[Trial]) -> None:
    never_armed = [trial for trial in days if trial.behaviour is Behaviour.STORES_ONLY]
    results = {trial.finding.result for trial in never_armed if trial.is_conclusive}
    assert results == {"failed"}


def test_inverters_that_are_off_never_fail_below_zero() -> None:
    test = LimitTest(-3_000, 600, 0)
    at, step = 0, Step.READ
    while step is not Step.END:
        at += 6
        # A heater that made up for most of the limit is switched off.
        meter, inverters = (3_000, 6_500) if at <= 18 else (-500, 0)
        step = test.read(meter, inverters, at)
        if step is Step.LOWER:
            test.proven(at)
    assert (test.finding.reason, test.finding.excess) == (LimitTestReason.OTHER_CAUSE, 0)
