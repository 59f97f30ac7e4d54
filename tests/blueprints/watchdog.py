"""What the tests of the watchdog blueprint share: its inputs, measured values and resets."""

import asyncio
from dataclasses import replace
from typing import Any, Final

from homeassistant.core import HomeAssistant

from simulator import CAPTURED, Simulator

BLUEPRINT: Final = "watchdog_reset"
INVERTERS: Final = "sensor.sec1000_inverter_power"
VALUE_OFF: Final = "0006010140020044"
CALM_S: Final = 185
"""Nothing is reset in the three minutes after a setting of the device has changed, or after the start."""


def inputs(**changed: Any) -> dict[str, Any]:
    """Return the inputs of the blueprint, with the defaults but for these."""
    return {
        "reset_button": "button.sec1000_reset_export_watchdog",
        "inverter_power": INVERTERS,
        **changed,
    }


def resets(sim: Simulator) -> int:
    """Return how often the limit was suspended."""
    return sum(request.raw.hex() == VALUE_OFF for request in sim.requests)


def sun(hass: HomeAssistant, elevation: float) -> None:
    """Let the sun stand at an elevation in degrees."""
    hass.states.async_set("sun.sun", "above_horizon", {"elevation": elevation})


def measure(sim: Simulator, inverters: int, load: int) -> None:
    """Let the device report these powers in W."""
    sim.hold(replace(CAPTURED, inverter_power=inverters, meter_power=inverters - load))


async def fall(
    sim: Simulator, *, before: int = 9_000, to: int = 900, load: int = 6_000, seconds: float = 100
) -> None:
    """Let the inverter power (W) fall, after a time of calm; then wait for so long."""
    measure(sim, before, load)
    await asyncio.sleep(CALM_S)
    measure(sim, to, load)
    await asyncio.sleep(seconds)
