"""The price blueprint with the sources that docs/blueprints.md names, two hours around midnight."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Simulator

from .home import Home
from .test_page import PAGE

pytestmark = pytest.mark.slow

BLUEPRINT: Final = "export_by_price"
SWITCH: Final = "switch.sec1000_export_to_grid"
QUARTER_S: Final = 900
CZK_PER_EUR: Final = 25

BEFORE_MIDNIGHT: Final = (12.0, -3.2, -8.55, 0.0)
AFTER_MIDNIGHT: Final = (-2.5, -2.5, 0.01, -0.01)
"""EUR/MWh, of each quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sensor of another integration: what it shows, and how it shows that there is no price."""

    name: str
    entity_id: str
    unit: str
    per_eur_mwh: float
    """What 1 EUR/MWh is in the unit."""
    state_class: str | None
    missing: str
    """The state while it has no price."""
    digits: int = 5
    attribute: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    force_update: bool = False

    def state(self, price: float) -> str:
        """Return its state at a price in EUR/MWh."""
        return str(round(price * self.per_eur_mwh, self.digits))


NORD_POOL: Final = "Nord Pool, part of Home Assistant"
NORD_POOL_CUSTOM: Final = "Nord Pool, `custom-components/nordpool` 0.0.18"
ENTSO_E: Final = "ENTSO-E, `JaccoR/hass-entso-e` 0.7.1"
TIBBER: Final = "Tibber, part of Home Assistant"
OTE: Final = "Czech OTE, `rnovacek/homeassistant_cz_energy_spot_prices` 0.8.3"
OKTE: Final = "Slovak OKTE, `rgildein/okte-home-assistant` 1.0.0"
SPOT_SK: Final = "Slovak OKTE, `joshuaaaaa/spot-SK` 1.0.0"

OTE_HOURS: Final = {"2026-06-21T00:00:00+02:00": -8.55, "2026-06-21T00:15:00+02:00": 12.0}
NORD_POOL_DAY: Final = {"device_class": "monetary", "today": [0.0, -8.55], "low_price": True, "min": -8.55}

SOURCES: Final = (
    Source(NORD_POOL, "sensor.nord_pool_fi_current_price", "EUR/kWh", 0.001, "measurement", "unknown"),
    Source(NORD_POOL, "sensor.nord_pool_se3_current_price", "SEK/kWh", 0.011, "measurement", "unavailable"),
    *(
        Source(
            NORD_POOL_CUSTOM,
            "sensor.nordpool_kwh_fi_eur_3_10_024",
            unit,
            per_eur_mwh,
            "total",
            "unknown",
            digits=3,
            attribute=attribute,
            attributes=NORD_POOL_DAY,
            force_update=True,
        )
        for unit, per_eur_mwh in (("EUR/kWh", 0.001), ("c/kWh", 0.1), ("Öre/kWh", 1.1), ("EUR/MWh", 1))
        for attribute in ("", "current_price")
    ),
    Source(
        ENTSO_E, "sensor.current_electricity_market_price", "EUR/kWh", 0.001, "measurement", "unavailable"
    ),
    Source(ENTSO_E, "sensor.current_electricity_market_price", "EUR/MWh", 1, "measurement", "unavailable"),
    Source(TIBBER, "sensor.home_electricity_price", "NOK/kWh", 0.0115, "measurement", "unavailable"),
    *(
        Source(
            OTE,
            "sensor.current_spot_electricity_price_15min",
            unit,
            per_eur_mwh,
            None,
            "unavailable",
            digits=4,
            attributes=OTE_HOURS,
        )
        for unit, per_eur_mwh in (
            ("€/MWh", 1),
            ("€/kWh", 0.001),
            ("Kč/MWh", CZK_PER_EUR),
            ("Kč/kWh", CZK_PER_EUR / 1000),
        )
    ),
    Source(
        OKTE,
        "sensor.okte_prices",
        "EUR/MWh",
        1,
        "measurement",
        "unknown",
        attributes={"prices": [{"period": 1, "start": "2026-06-21T22:00:00Z", "price": -8.55}]},
    ),
    Source(SPOT_SK, "sensor.sk_spot_price", "EUR/MWh", 1, "measurement", "unavailable", attributes=OTE_HOURS),
    Source(SPOT_SK, "sensor.sk_spot_price", "EUR/kWh", 0.001, "measurement", "unavailable", digits=6),
)


def show(hass: HomeAssistant, source: Source, price: float | None) -> float:
    """Let the source show a price in EUR/MWh, or none; return the price as it shows it."""
    state = source.missing if price is None else source.state(price)
    attributes = {"unit_of_measurement": source.unit, "state_class": source.state_class, **source.attributes}
    if source.attribute:
        attributes[source.attribute] = None if price is None else float(state)
        state = "2026-06-21"
    if price is None and source.missing == "unavailable":
        attributes = {"unit_of_measurement": source.unit}
    hass.states.async_set(source.entity_id, state, attributes, source.force_update)
    return 0.0 if price is None else float(source.state(price))


@pytest.mark.parametrize("warp", ["2026-06-21 23:00:00"], indirect=True)
@pytest.mark.parametrize("guarded", [pytest.param(False, marks=pytest.mark.long), True])
@pytest.mark.parametrize(
    "source", SOURCES, ids=lambda source: f"{source.entity_id} {source.unit} {source.attribute}"
)
async def test_quarters_around_midnight_are_followed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    home: Home,
    source: Source,
    guarded: bool,
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, "scan_interval": 300})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.config.async_set_time_zone("UTC")
    shown = show(hass, source, BEFORE_MIDNIGHT[0])
    await home.automate(
        BLUEPRINT,
        {
            "export_switch": SWITCH,
            "price": source.entity_id,
            "price_attribute": source.attribute,
            "price_unit": source.unit if guarded else "",
        },
    )
    changes, was_low = 0, False
    for quarter, price in enumerate((*BEFORE_MIDNIGHT, *AFTER_MIDNIGHT)):
        if quarter == len(BEFORE_MIDNIGHT):
            assert dt_util.now().hour == 0
            show(hass, source, None)
            await asyncio.sleep(100)
            assert len(home.calls) == changes
        shown = show(hass, source, price)
        changes += (shown < 0) != was_low
        was_low = shown < 0
        await asyncio.sleep(70)
        assert sim.device.bound_limit == (0 if was_low else 10_000), price
        begun = timedelta(minutes=dt_util.now().minute % 15, seconds=dt_util.now().second)
        await asyncio.sleep(QUARTER_S - begun.total_seconds())
    assert len(home.calls) == changes


@pytest.mark.parametrize("source", SOURCES[-2:], ids=lambda source: source.unit)
async def test_threshold_is_in_unit_of_source(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, source: Source
) -> None:
    show(hass, source, 51)
    threshold = 50 * source.per_eur_mwh
    await home.automate(
        BLUEPRINT,
        {"export_switch": SWITCH, "price": source.entity_id, "threshold": threshold, "hysteresis": threshold},
    )
    for price, limit in ((49, 0), (99.9, 0), (100, 10_000), (50, 10_000), (49.9, 0)):
        show(hass, source, price)
        await asyncio.sleep(70)
        assert sim.device.bound_limit == limit, price


@pytest.mark.parametrize(
    ("unit", "known"), [("EUR/kWh", True), (" eur/kwh ", True), ("c/kWh", False), ("EUR/MWh", False)]
)
@pytest.mark.parametrize("changed", [False, True])
async def test_price_in_another_unit_is_not_known(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    unit: str,
    known: bool,
    changed: bool,
) -> None:
    """Where it changes, the price is low and without a unit at first."""
    attributes = {"unit_of_measurement": "EUR/kWh"}
    hass.states.async_set("sensor.price", "-1" if changed else "1", {} if changed else attributes)
    await home.automate(
        BLUEPRINT,
        {
            "export_switch": SWITCH,
            "price": "sensor.price",
            "price_unit": unit,
            "unknown_after": {"minutes": 10},
            "unknown_does": "export_off",
        },
    )
    await asyncio.sleep(300)
    hass.states.async_set("sensor.price", "1", attributes)
    await asyncio.sleep(400)
    assert home.calls == ([] if known else ["export_disable"])


@pytest.mark.parametrize("price", ["-0.0", "-0", "-0.000", "-1e-12", "5.551115123125783e-17"])
async def test_negative_zero_is_not_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, price: str
) -> None:
    hass.states.async_set("sensor.price", "-1")
    await home.automate(BLUEPRINT, {"export_switch": SWITCH, "price": "sensor.price", "low_for": "00:01:00"})
    await asyncio.sleep(30)
    hass.states.async_set("sensor.price", price)
    await asyncio.sleep(600)
    assert home.calls == []
    hass.states.async_set("sensor.price", "-1e-05")
    await asyncio.sleep(90)
    assert home.calls == ["export_disable"]


@pytest.mark.parametrize(("threshold", "hysteresis", "price"), [(0.1, 0.2, "0.3"), (0.7, 0.1, "0.8")])
async def test_price_at_end_of_hysteresis_is_high(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    threshold: float,
    hysteresis: float,
    price: str,
) -> None:
    hass.states.async_set("sensor.price", "0")
    await home.automate(
        BLUEPRINT,
        {
            "export_switch": SWITCH,
            "price": "sensor.price",
            "threshold": threshold,
            "hysteresis": hysteresis,
            "high_for": "00:05:00",
        },
    )
    await asyncio.sleep(90)
    hass.states.async_set("sensor.price", price)
    await asyncio.sleep(280)
    assert home.calls == ["export_disable"]
    await asyncio.sleep(25)
    assert home.calls == ["export_disable", "export_enable"]


async def test_quarters_in_a_row_count_together_for_low_for(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    hass.states.async_set("sensor.price", "1")
    await home.automate(
        BLUEPRINT, {"export_switch": SWITCH, "price": "sensor.price", "low_for": {"minutes": 40}}
    )
    for price in ("-1", "-2"):
        hass.states.async_set("sensor.price", price)
        await asyncio.sleep(QUARTER_S)
    hass.states.async_set("sensor.price", "-1.5")
    await asyncio.sleep(590)
    assert home.calls == []
    await asyncio.sleep(20)
    assert home.calls == ["export_disable"]


def test_page_lists_tested_sources() -> None:
    table = PAGE.partition("| source | entity |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == list(dict.fromkeys(source.name for source in SOURCES))
    for name, entity_id, unit, state_class, attribute in rows:
        for source in (source for source in SOURCES if source.name == name):
            begin, _, end = entity_id.strip("`").partition("…")
            assert source.entity_id.startswith(begin)
            assert source.entity_id.endswith(end)
            currency, _, energy = source.unit.partition("/")
            assert f"{currency}/" in unit or "other" in unit
            assert energy in unit
            assert state_class == (source.state_class or "–")
            assert source.attribute in attribute
