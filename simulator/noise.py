"""Smooth random values that are a function of time alone, so that asking oftener changes nothing."""

from math import floor
from random import Random


def wander(seed: str, time: float, period: float) -> float:
    """Return a value from 0 to 1 that drifts to another in each period (both in s)."""
    turn = floor(time / period)
    part = time / period - turn
    smooth = part * part * (3 - 2 * part)
    return _at(seed, turn) * (1 - smooth) + _at(seed, turn + 1) * smooth


def _at(seed: str, turn: int) -> float:
    return Random(f"{seed}/{turn}").random()
