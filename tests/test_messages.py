"""Reasons of errors are in Home Assistant's language, and logged in English."""

import asyncio
from collections.abc import Awaitable, Callable
import socket
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.messages import reason
from simulator import Simulator

from .entries import entry_of

FAULTS = {
    "silence": "the device did not respond completely in time",
    "refused": "could not connect to the device",
    "close-before-answer": "the connection was closed before the response was complete",
    "wrong-checksum": "the response has an invalid checksum",
    "http": "the device sent an unexpected response",
    "unknown-mode": "the device sent an invalid response",
}


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


async def test_error_of_home_assistant_is_shown_unchanged(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    assert reason(hass, HomeAssistantError("Out of order.")) == "Out of order"
