"""Reasons of errors are in Home Assistant's language, and logged in English."""

import asyncio
from collections.abc import Awaitable, Callable
import socket
from typing import Any, Final
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import (
    TRANSLATION_FLATTEN_CACHE,
    async_get_exception_message,
    async_get_translations,
)
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.messages import reason
from simulator import Simulator

from .calls import load, outcomes, suspend_limit
from .entries import entry_of
from .states import get_state

FAULTS = {
    "silence": "the device did not respond completely in time",
    "refused": "could not connect to the device",
    "close-before-answer": "the connection was closed before the response was complete",
    "wrong-checksum": "the response has an invalid checksum",
    "http": "the device sent an unexpected response",
    "unknown-mode": "the device sent an invalid response",
}
SET_LIMIT: Final = "sensor.sec1000_set_export_limit_feedback"
RESET: Final = "sensor.sec1000_reset_export_watchdog_feedback"


async def failing(hass: HomeAssistant, action: str, **data: object) -> HomeAssistantError:
    """Call an action that must fail, and return how."""
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call(DOMAIN, action, data, blocking=True)
    return raised.value


@pytest.mark.promise("R-04")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(("fault", "expected"), FAULTS.items())
async def test_each_fault_has_its_own_text(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, fault: str, expected: str
) -> None:
    # What the start has read would be returned.
    await asyncio.sleep(5)
    sim.inject(fault)
    error = await failing(hass, "get_export_limit")
    assert error.translation_key == "action_failed"
    assert error.translation_placeholders
    assert error.translation_placeholders["reason"] == expected


async def test_unknown_host_is_reason_of_setup_retry(
    hass: HomeAssistant, loaded: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve_nothing(*_arguments: Any, **_more: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    hass.config_entries.async_update_entry(loaded, data={**loaded.data, "host": "sec1000.invalid"})
    monkeypatch.setattr(socket, "getaddrinfo", resolve_nothing)
    assert not await hass.config_entries.async_reload(loaded.entry_id)
    assert loaded.state is ConfigEntryState.SETUP_RETRY
    assert loaded.reason
    # An older Home Assistant shows it in English, as in the log.
    assert loaded.reason.startswith("The telemetry could not be read: the host name could not be resolved")


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("fault", ["silence", "wrong-checksum"])
async def test_unknown_outcome_of_write_has_its_reason(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, fault: str
) -> None:
    sim.inject(fault)
    error = await failing(hass, "set_export_limit", limit=3)
    assert error.translation_key == "outcome_unknown"
    assert error.translation_placeholders
    assert error.translation_placeholders["reason"] == FAULTS[fault]


async def test_error_shows_device_setting_instead(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("ack-without-effect")
    error = await failing(hass, "set_export_limit", limit=3)
    assert error.translation_key == "not_applied"
    assert error.translation_placeholders
    assert error.translation_placeholders["reason"] == (
        "the device reports an export limit of 10.00 kW, a total capacity of 30.00 kW and the control mode "
        "“Value: Central Europe” instead"
    )


@pytest.mark.parametrize(
    ("action", "limit", "expected"),
    [
        ("set_export_limit", "much", "'much' is not a number in kW"),
        ("set_export_limit", True, "True is not a number in kW"),
        ("set_max_export_limit", 31, "31.00 kW is outside the range 0.00 to 30.00 kW"),
        ("set_min_export_limit", 10.01, "10.01 kW is outside the range -100.00 to 10.00 kW"),
    ],
)
async def test_refused_limit_has_its_reason(
    hass: HomeAssistant, loaded: MockConfigEntry, action: str, limit: object, expected: str
) -> None:
    error = await failing(hass, action, limit=limit)
    assert isinstance(error, ServiceValidationError)
    assert error.translation_placeholders
    assert error.translation_placeholders["reason"] == expected


async def test_reason_is_translated_and_logged_in_english(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    german = "die Verbindung wurde abgebrochen"
    key = f"component.{DOMAIN}.common.reason_closed"
    await hass.config.async_update(language="de")
    entry = entry_of(sim)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    texts = await async_get_translations(hass, "de", "common", {DOMAIN})
    with patch.dict(texts, {key: german}):
        sim.inject("close-before-answer")
        error = await failing(hass, "set_datetime")
        assert error.translation_placeholders
        assert error.translation_placeholders["reason"] == german
        assert "closed after 0 bytes" in str(error)
        await pass_time(31)
    assert (
        "Error fetching SEC1000 data: The telemetry could not be read: read telemetry: closed after 0 bytes"
        in caplog.text
    )
    assert german not in caplog.text


@pytest.mark.parametrize("language", ["fr", "sk"])
async def test_message_is_in_english_where_language_is_missing(
    hass: HomeAssistant, loaded: MockConfigEntry, language: str
) -> None:
    # Not loaded yet, as for a moment after it was chosen, or not there at all.
    hass.config.language = language
    # Tests share what they loaded.
    with patch.dict(hass.data[TRANSLATION_FLATTEN_CACHE].cache_data.cache, {language: {}}):
        await hass.services.async_call(DOMAIN, "export_disable", blocking=True)
    assert message(hass, "sensor.sec1000_export_disable_feedback") == (
        "The device confirmed the setting. Export is off: the limit is 0.00 kW."
    )


async def test_error_of_home_assistant_is_shown_unchanged(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    assert reason(hass, HomeAssistantError("Out of order.")) == "Out of order"


def message(hass: HomeAssistant, entity_id: str) -> str:
    """Return what a feedback sensor says."""
    return str(get_state(hass, entity_id).attributes["message"])


@pytest.fixture
async def cut_off(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> HomeAssistantError:
    """Return the error of a watchdog reset that was cut off by an outage."""
    reset = await suspend_limit(hass, sim)
    sim.inject("refused")
    [error] = await outcomes(reset)
    assert isinstance(error, HomeAssistantError)
    return error


@pytest.mark.usefixtures("warp")
async def test_message_of_failure_is_the_error_that_is_shown(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("refused")
    error = await failing(hass, "set_export_limit", limit=3)
    shown = async_get_exception_message(DOMAIN, str(error.translation_key), error.translation_placeholders)
    expected = (
        "“Set export limit” failed: could not connect to the device. Export is on, up to 10.00 kW. "
        "Check the device's power supply, network connection and address. If it stays unresponsive, "
        "power-cycle it."
    )
    assert message(hass, SET_LIMIT) == expected == shown
    assert get_state(hass, SET_LIMIT).attributes["detail"] == "read export limit: Connection refused"
    assert get_state(hass, SET_LIMIT).state == "64"


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("fault", ["refused", "silence"])
async def test_message_is_over_once_the_device_answers(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, fault: str
) -> None:
    await asyncio.sleep(5)
    sim.inject(fault)
    await failing(hass, "get_export_limit")
    await failing(hass, "set_export_limit", limit=3)
    await asyncio.sleep(300)
    read_limit = "sensor.sec1000_get_export_limit_feedback"
    for sensor in (read_limit, SET_LIMIT):
        assert "Check the device's power supply" in message(hass, sensor)
    states = [get_state(hass, sensor).state for sensor in (read_limit, SET_LIMIT)]
    sim.clear_faults()
    sim.device.limit = 0
    await asyncio.sleep(310)
    assert message(hass, SET_LIMIT) == (
        "“Set export limit” was interrupted because the device did not respond correctly. It is responding "
        "again. Export is off: the limit is 0.00 kW. Repeat the action if this is not what you want."
    )
    assert message(hass, read_limit).startswith("“Get export limit” was interrupted")
    assert [get_state(hass, sensor).state for sensor in (read_limit, SET_LIMIT)] == states


@pytest.mark.promise("R-18")
@pytest.mark.usefixtures("warp")
async def test_error_says_that_the_limit_is_suspended_until_restored(
    hass: HomeAssistant, sim: Simulator, cut_off: HomeAssistantError
) -> None:
    suspended = "The limit is suspended and being restored: the export may not be limited."
    assert suspended in str(cut_off)
    assert cut_off.translation_placeholders
    assert suspended in cut_off.translation_placeholders["export"]
    assert suspended in message(hass, RESET)
    error = await failing(hass, "get_export_limit")
    assert suspended in str(error)
    await asyncio.sleep(600)
    assert suspended in message(hass, RESET)
    sim.clear_faults()
    await asyncio.sleep(90)
    assert suspended not in message(hass, RESET)
    assert "Export is on, up to 10.00 kW." in message(hass, RESET)


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(
    ("language", "what", "export"),
    [
        (
            "de",
            "„Einspeisegrenze einstellen“ ist fehlgeschlagen: Es konnte keine Verbindung hergestellt werden",
            "Die Einspeisung ist bis 10,00 kW freigegeben.",
        ),
        (
            "sk",
            "Akcia „Nastaviť limit exportu“ sa nepodarila: spojenie sa nepodarilo nadviazať",
            "Export je povolený do 10,00 kW.",
        ),
    ],
)
async def test_message_is_in_language_of_the_home(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, language: str, what: str, export: str
) -> None:
    await hass.config.async_update(language=language)
    await load(hass, entry)
    sim.inject("refused")
    error = await failing(hass, "set_export_limit", limit=3)
    assert message(hass, SET_LIMIT).startswith(f"{what}. {export} ")
    assert str(error).startswith("“Set export limit” failed: read export limit: Connection refused.")
    await asyncio.sleep(60)
    poll = message(hass, "sensor.sec1000_get_telemetry_data_feedback")
    texts = await async_get_translations(hass, language, "common", {DOMAIN})
    assert poll.endswith(texts[f"component.{DOMAIN}.common.advice_no_answer"])
    sim.clear_faults()
    await hass.services.async_call(DOMAIN, "export_disable", blocking=True)
    assert message(hass, "sensor.sec1000_export_disable_feedback").startswith(
        texts[f"component.{DOMAIN}.common.confirmed"]
    )
