"""Pauses and deadlines short enough for tests in real time."""

from typing import Final

from custom_components.goodwe_sec1000.sec1000.timing import Timing

FAST_TIMING: Final = Timing(
    pacing=0.01,
    deadline=1,
    write_deadline=0.5,
    unlimited_deadline=0.5,
    malformed_answer_drain=0.05,
    retry_pauses=(0.01, 0.02),
    read_back_pause=0.05,
    command_deadline=8,
    refill=0.0005,
    reread_interval=0,
    manual_retry_interval=0.05,
    late_effect=0.1,
    watchdog_pause=0.1,
)
