"""The failure blueprint notifies of a failed command once, with the reason."""

import asyncio
from contextlib import suppress
from dataclasses import replace
import logging
from typing import Any, Final

from homeassistant.components import persistent_notification
from homeassistant.core import Event, HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from simulator import CAPTURED, Simulator
from tests.calls import load, outcomes, suspend_limit
from tests.entries import entry_of
from tests.states import get_state

from .home import Home

BLUEPRINT: Final = "notify_failure"
SET_LIMIT: Final = "sensor.sec1000_set_export_limit_feedback"
DISABLE: Final = "sensor.sec1000_export_disable_feedback"
TELEMETRY: Final = "sensor.sec1000_get_telemetry_data_feedback"
WRITE_LIMIT, SWITCH_VALUE, READ_TELEMETRY = 0x42, 0x40, 0x0B

MESSAGE: Final = {
    "event": "notified",
    "event_data": {
        "title": "{{ title }}",
        "message": "{{ message }}",
        "kind": "{{ kind }}",
        "entity_id": "{{ entity_id }}",
        "feedback": "{{ feedback }}",
        "flags": "{{ flags }}",
    },
}


def inputs(**changed: Any) -> dict[str, Any]:
    return {"feedback": [SET_LIMIT, DISABLE, TELEMETRY], **changed}


def notifications(hass: HomeAssistant) -> list[tuple[str, str]]:
    found = persistent_notification._async_get_or_create_notifications(hass).values()
    return [(notification["title"] or "", notification["message"]) for notification in found]


async def set_limit(hass: HomeAssistant, limit: object, **which: str) -> None:
    """Call the action and ignore its error."""
    with suppress(HomeAssistantError):
        await hass.services.async_call(
            "goodwe_sec1000", "set_export_limit", {"limit": limit, **which}, blocking=True
        )
    await asyncio.sleep(0.1)


@pytest.fixture(autouse=True)
async def _notifications(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "persistent_notification", {})


@pytest.fixture
def notified(hass: HomeAssistant) -> list[Event]:
    events: list[Event] = async_capture_events(hass, "notified")
    return events


async def test_success_is_not_notified(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(actions=[MESSAGE]))
    await set_limit(hass, 5)
    await set_limit(hass, 50)
    await hass.services.async_call("goodwe_sec1000", "export_disable", blocking=True)
    await home.restart(loaded)
    await asyncio.sleep(120)
    assert notifications(hass) == []
    assert notified == []


@pytest.mark.parametrize(
    ("fault", "limit", "title", "message"),
    [
        ("silence", 5, "Timeout", "did not respond completely in time. "),
        ("ack-without-effect", 5, "Failed", "Export is on, up to 9.00 kW. "),
        ("reset", 5, "Connection error", "the connection was closed before "),
        (None, "plenty", "Invalid input", "Nothing was sent. "),
        ("ack-without-effect", 50, "Adjusted, failed", "was adjusted to 10.00 kW. "),
    ],
)
async def test_failure_notification_is_dismissed_on_success(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    fault: str | None,
    limit: object,
    title: str,
    message: str,
) -> None:
    sim.device.limit = 9_000
    await home.automate(BLUEPRINT, inputs(feedback=[SET_LIMIT], differs=False))
    if fault:
        sim.inject(fault)
    await set_limit(hass, limit)
    ((shown_title, shown_message),) = notifications(hass)
    assert shown_title == f"SEC1000 Set export limit feedback: {title}"
    assert shown_message == get_state(hass, SET_LIMIT).attributes["message"]
    assert message in shown_message
    await set_limit(hass, limit)
    assert len(notifications(hass)) == 1
    sim.clear_faults()
    await set_limit(hass, 5)
    assert notifications(hass) == []


async def test_notification_stays_without_dismiss(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(dismiss=False))
    await set_limit(hass, "plenty")
    await set_limit(hass, 5)
    assert len(notifications(hass)) == 1


async def test_corrected_limit_is_notified_if_chosen(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(tell_corrected=True))
    await set_limit(hass, 50)
    ((title, message),) = notifications(hass)
    assert title == "SEC1000 Set export limit feedback: OK, adjusted"
    assert "50" in message
    assert "10.00 kW" in message
    await set_limit(hass, 5)
    assert notifications(hass) == []


async def test_corrected_limit_dismisses_failure(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs())
    await set_limit(hass, "plenty")
    assert len(notifications(hass)) == 1
    await set_limit(hass, 50)
    assert notifications(hass) == []


async def test_failure_fixed_within_lasting_is_not_notified(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(lasting={"minutes": 2}, tell_corrected=True, actions=[MESSAGE]))
    await set_limit(hass, "plenty")
    await asyncio.sleep(100)
    await set_limit(hass, 5)
    await set_limit(hass, 50)
    await asyncio.sleep(100)
    await set_limit(hass, 5)
    await asyncio.sleep(300)
    assert notified == []
    await set_limit(hass, "plenty")
    await asyncio.sleep(100)
    assert notified == []
    await asyncio.sleep(30)
    assert [event.data["feedback"] for event in notified] == [128]


async def test_user_actions_receive_failure_details(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    automation = await home.automate(BLUEPRINT, inputs(persistent=False, actions=[MESSAGE]))
    await set_limit(hass, "plenty")
    assert notifications(hass) == []
    (event,) = notified
    assert event.data["title"] == "SEC1000 Set export limit feedback: Invalid input"
    assert event.data["message"].startswith("The limit is invalid: 'plenty' is not a number in kW. ")
    assert event.data["kind"] == "failed"
    assert event.data["entity_id"] == SET_LIMIT
    assert event.data["feedback"] == 128
    assert event.data["flags"] == ["invalid_input"]
    triggered = get_state(hass, automation).attributes["last_triggered"]
    await set_limit(hass, 5)
    assert len(notified) == 1
    assert get_state(hass, automation).attributes["last_triggered"] == triggered


async def test_failing_user_action_does_not_stop_others(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    async def phone(_call: ServiceCall) -> None:
        raise HomeAssistantError("the phone is off")

    hass.services.async_register("notify", "phone", phone)
    actions = [MESSAGE, {"action": "notify.phone", "data": {"message": "{{ message }}"}}]
    await home.automate(BLUEPRINT, inputs(actions=actions, quiet_time={"minutes": 10}))
    await set_limit(hass, "plenty")
    await set_limit(hass, "a lot")
    assert len(notifications(hass)) == 1
    assert len(notified) == 2


async def test_slow_user_action_does_not_delay_other_failures(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(actions=[MESSAGE, {"delay": 60}]))
    for _ in range(5):
        await set_limit(hass, "plenty")
    assert len(notified) == 5


@pytest.mark.parametrize("ten_minutes", [{"minutes": 10}, "00:10:00"])
async def test_quiet_time_updates_only_notification(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event], ten_minutes: object
) -> None:
    await home.automate(BLUEPRINT, inputs(actions=[MESSAGE], quiet_time=ten_minutes))
    for limit in ("plenty", "a lot", "much", "too much"):
        await set_limit(hass, limit)
        await asyncio.sleep(120)
    assert len(notified) == 1
    assert "too much" in notifications(hass)[0][1]
    await asyncio.sleep(150)
    await set_limit(hass, "plenty")
    assert len(notified) == 2


async def test_notification_names_the_device(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home
) -> None:
    async with Simulator() as other:
        second = entry_of(other, "Barn")
        second.add_to_hass(hass)
        assert await hass.config_entries.async_setup(second.entry_id)
        await home.automate(BLUEPRINT, inputs(feedback=[SET_LIMIT, "sensor.barn_set_export_limit_feedback"]))
        for entry in (loaded, second):
            await set_limit(hass, "plenty", config_entry_id=entry.entry_id)
        assert [title.partition(" ")[0] for title, _ in notifications(hass)] == ["SEC1000", "Barn"]
        await set_limit(hass, 5, config_entry_id=second.entry_id)
        assert [title.partition(" ")[0] for title, _ in notifications(hass)] == ["SEC1000"]
        await hass.config_entries.async_unload(second.entry_id)


async def test_unresponsive_device_is_notified_once_by_poll_feedback(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(actions=[MESSAGE], lasting={"minutes": 3}, silent=False))
    sim.inject("silence", count=3, commands=[READ_TELEMETRY])
    await asyncio.sleep(600)
    assert notified == []
    await sim.stop()
    await asyncio.sleep(3600)
    assert [(event.data["entity_id"], event.data["feedback"]) for event in notified] == [(TELEMETRY, 64)]
    assert len(notifications(hass)) == 1
    await sim.start()
    await asyncio.sleep(400)
    assert notifications(hass) == []


async def test_wrong_sensor_notifies_nothing(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(feedback=["sensor.sec1000_voltage_l1"], actions=[MESSAGE]))
    await asyncio.sleep(300)
    assert notified == []
    assert notifications(hass) == []


EVENT: Final = "event.sec1000_export_limit"
EXCEEDED: Final = "binary_sensor.sec1000_limit_exceeded"
DIFFERS: Final = "binary_sensor.sec1000_limit_differs"


async def exceed(_hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(replace(CAPTURED, meter_power=12_000, inverter_power=13_000))
    await asyncio.sleep(130)


async def differ(_hass: HomeAssistant, sim: Simulator) -> None:
    sim.device.limit = 20_000
    await asyncio.sleep(70)


async def suspend(hass: HomeAssistant, sim: Simulator) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("refused")
    await outcomes(reset)


async def fall_silent(_hass: HomeAssistant, sim: Simulator) -> None:
    sim.inject("silence")
    await asyncio.sleep(400)


async def get_well(hass: HomeAssistant, sim: Simulator) -> None:
    sim.clear_faults()
    sim.hold(CAPTURED)
    sim.device.limit = 10_000
    await asyncio.sleep(400)


PROBLEMS: Final = {
    "exceeded": (exceed, " Limit exceeded", "More is exported than the limit of 10.00 kW allows. "),
    "differs": (differ, " Limit differs", "The device differs from the target: "),
    "restore_pending": (suspend, " Limit differs", "The limit is suspended and being restored: "),
    "silent": (fall_silent, ": Timeout", "The telemetry could not be read: "),
}
"""Of each kind of problem how it comes about, and its title and the begin of its message."""


@pytest.mark.parametrize("kind", PROBLEMS)
async def test_problem_is_notified_once_by_default_until_over(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    notified: list[Event],
    kind: str,
) -> None:
    occur, title, message = PROBLEMS[kind]
    await home.automate(BLUEPRINT, {"feedback": [SET_LIMIT], "actions": [MESSAGE]})
    await occur(hass, sim)
    [(shown_title, shown_message)] = notifications(hass)
    assert shown_title == f"SEC1000{title}"
    assert shown_message.startswith(message)
    await asyncio.sleep(600)
    assert [event.data["kind"] for event in notified] == [kind]
    await get_well(hass, sim)
    assert notifications(hass) == []
    assert len(notified) == 1


@pytest.mark.parametrize("kind", PROBLEMS)
async def test_problem_that_is_off_is_not_notified(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, kind: str
) -> None:
    await home.automate(BLUEPRINT, {"feedback": [SET_LIMIT], kind: False})
    await PROBLEMS[kind][0](hass, sim)
    await asyncio.sleep(600)
    assert notifications(hass) == []


async def test_problem_that_does_not_persist_is_not_notified(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(actions=[MESSAGE], lasting={"minutes": 5}))
    for occur in (exceed, differ):
        await occur(hass, sim)
        await get_well(hass, sim)
    await hass.services.async_call("goodwe_sec1000", "reset_export_watchdog", blocking=True)
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await asyncio.sleep(600)
    assert notified == []


async def test_differing_limit_that_is_then_suspended_is_both(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, inputs(feedback=[DISABLE], actions=[MESSAGE]))
    await differ(hass, sim)
    await suspend(hass, sim)
    assert [event.data["kind"] for event in notified] == ["differs", "restore_pending"]
    [(_, message)] = notifications(hass)
    assert message.startswith("The limit is suspended")


async def test_silent_device_is_told_by_polling_beside_a_failed_command(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs())
    sim.inject("silence")
    await asyncio.sleep(200)
    await set_limit(hass, 5)
    await asyncio.sleep(200)
    shown = dict(notifications(hass))
    assert shown["SEC1000: Timeout"].startswith("The telemetry could not be read: ")
    assert shown["SEC1000 Set export limit feedback: Timeout"].startswith("It is unknown whether ")


async def test_notification_is_in_the_language_of_the_home(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await hass.config.async_update(language="sk")
    await load(hass, entry)
    await home.automate(BLUEPRINT, inputs())
    await suspend(hass, sim)
    await set_limit(hass, "plenty")
    shown = dict(notifications(hass))
    assert shown["SEC1000 Odchýlka limitu"].startswith("Limit je vypnutý a obnovuje sa: ")
    assert shown["SEC1000 Odozva: limit: Neplatný vstup"].startswith("Limit nie je platný")


@pytest.mark.parametrize("kind", [None, *PROBLEMS])
async def test_deleted_entry_logs_nothing_and_is_dismissed(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    caplog: pytest.LogCaptureFixture,
    kind: str | None,
) -> None:
    await home.automate(BLUEPRINT, inputs(tell_corrected=True, events=[EVENT]))
    await set_limit(hass, "plenty")
    if kind:
        await PROBLEMS[kind][0](hass, sim)
    assert notifications(hass)
    sim.clear_faults()
    caplog.clear()
    await hass.config_entries.async_remove(loaded.entry_id)
    await asyncio.sleep(600)
    assert [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name != "custom_components.goodwe_sec1000"
    ] == []
    assert notifications(hass) == []


@pytest.mark.parametrize("fault", ["silence", "ack-without-effect", None])
async def test_event_of_a_failed_command_is_notified(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    notified: list[Event],
    fault: str | None,
) -> None:
    await home.automate(BLUEPRINT, {"events": [EVENT], "actions": [MESSAGE], "differs": False})
    if fault:
        sim.inject(fault)
    await set_limit(hass, 5 if fault else "plenty")
    message = get_state(hass, SET_LIMIT).attributes["message"]
    assert notifications(hass) == [("SEC1000 Export limit", message)]
    [event] = notified
    assert (event.data["kind"], event.data["entity_id"]) == ("failed", EVENT)
    await set_limit(hass, 6 if fault else "much")
    assert len(notifications(hass)) == 1
    assert len(notified) == 2
    sim.clear_faults()
    await set_limit(hass, 5)
    assert notifications(hass) == []
    assert len(notified) == 2


async def test_failed_reset_is_notified_by_its_event(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, {"events": [EVENT], "restore_pending": False})
    await suspend(hass, sim)
    [(title, message)] = notifications(hass)
    assert (title, message) == (
        "SEC1000 Export limit",
        get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").attributes["message"],
    )
    sim.clear_faults()
    await asyncio.sleep(120)
    assert notifications(hass) == []


async def test_failed_reset_that_restored_the_limit_stays_notified(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, {"events": [EVENT]})
    sim.inject("silence", count=1, commands=[SWITCH_VALUE])
    with suppress(HomeAssistantError):
        await hass.services.async_call("goodwe_sec1000", "reset_export_watchdog", blocking=True)
    await asyncio.sleep(60)
    assert get_state(hass, EVENT).attributes["event_type"] == "restored"
    [(_, message)] = notifications(hass)
    assert message.startswith("“Reset export watchdog” ")


async def test_event_of_a_failure_retried_within_lasting_is_not_notified(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    await home.automate(BLUEPRINT, {"events": [EVENT], "lasting": {"minutes": 2}, "actions": [MESSAGE]})
    await set_limit(hass, "plenty")
    await asyncio.sleep(100)
    await set_limit(hass, 5)
    await asyncio.sleep(300)
    assert notified == []
    await set_limit(hass, "plenty")
    await asyncio.sleep(130)
    assert len(notified) == 1


async def test_event_is_not_notified_by_a_restart(
    hass: HomeAssistant, loaded: MockConfigEntry, home: Home, notified: list[Event]
) -> None:
    await set_limit(hass, "plenty")
    await home.automate(BLUEPRINT, {"events": [EVENT], "actions": [MESSAGE]})
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await home.restart(loaded)
    await asyncio.sleep(200)
    assert notified == []


async def test_automation_that_asked_is_named(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, {"events": [EVENT]})
    command = {"action": "goodwe_sec1000.set_export_limit", "data": {"limit": 5}}
    script = {"alias": "Quiet hours", "sequence": [{**command, "continue_on_error": True}]}
    assert await async_setup_component(hass, "script", {"script": {"quiet_hours": script}})
    sim.inject("ack-without-effect", commands=(WRITE_LIMIT,))
    await hass.services.async_call("script", "quiet_hours", blocking=True)
    await asyncio.sleep(1)
    [(_, message)] = notifications(hass)
    assert message.endswith(" (Quiet hours)")
    # What the owner does is no script's.
    await set_limit(hass, 6)
    [(_, message)] = notifications(hass)
    assert "Quiet hours" not in message
