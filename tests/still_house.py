"""A house for tests to which its power does not matter: it takes no time, and no poll changes a state."""

from typing import override

from custom_components.goodwe_sec1000.sec1000.model import Phases
from simulator import House
from simulator.house import Load


class StillHouse(House):
    """A house in which nothing happens and no power flows."""

    def __init__(self) -> None:
        """Have no load."""
        super().__init__(load=Load(appliances=(), base=Phases(0.0, 0.0, 0.0)))

    @override
    def advance(self, now: float, orders: object) -> None:
        pass
