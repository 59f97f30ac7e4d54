"""Lives in virtual time, with every pause as it is in use."""

import pytest

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing


@pytest.fixture
def quick() -> Timing:
    """Shorten nothing: time is virtual."""
    return timing.STANDARD
