"""A house for tests to which its power does not matter: it takes no time."""

from typing import override

from simulator import House


class StillHouse(House):
    """A house in which nothing happens."""

    @override
    def advance(self, now: float, orders: object) -> None:
        pass
