"""Finds identifiers that are gone, and says what took their place; part of scripts/lint."""

from pathlib import Path
import re
import sys
from typing import Final

CHECKED: Final = ("custom_components", "demo", "simulator", "tests")
GONE: Final = {
    "_Account": "_ActionStats",
    "adoptable": "adoptable_options",
    "after_migration": "follow_up",
    "asked_by_hand": "manual_retry_interval",
    "async_forget": "async_forget_entry",
    "_async_forget_older_version": "_async_clear_device_version",
    "async_in_words": "async_format_report",
    "_async_keep_kilowatts": "_async_keep_kw_unit",
    "_async_make_way": "_async_resolve_duplicate",
    "async_move_entities": "async_migrate_entities",
    "async_move_in": "async_migrate_v1_entry",
    "async_settle_removed": "async_clean_up_removed_entry",
    "befall": "apply",
    "_can_afford": "_within_budget",
    "ChildEndedError": "ChildExitedError",
    "ChooseModeError": "ModeDeactivatedError",
    "chosen_entry": "resolve_entry",
    "CLOSED_FOR_GOOD": "TELEMETRY_REFUSALS",
    "Conversation": "Transaction",
    "CURE": "RECOVERY_TIME",
    "_disorder": "_check_order",
    "drift_issue_id": "issue_id",
    "drop_note": "clear_pending",
    "_drop_settings_in_time": "_schedule_settings_expiry",
    "Effort": "RequestStats",
    "end_interruption": "cut_reset_short",
    "ended_by": "cut_short_by",
    "ExportWindows": "ExportSteps",
    "FaultOrder": "Action",
    "FEEDBACK_KEYS": "FEEDBACK_SENSORS",
    "_finish_or": "_finish_or_reshow",
    "FixFlow": "RepairFlowBase",
    "_follow": "_limit_for_new_range",
    "forget_settings": "invalidate_settings",
    "_give_to_next": "_release",
    "hasty": "short_deadline",
    "held_in_words": "format_settings",
    "hopeful": "retry",
    "hour_by_the_clock": "local_hour",
    "Interruption": "ResetWindow",
    "is_kept": "backing_off",
    "is_left_alone": "backing_off",
    "_is_odd": "_is_malformed",
    "keep_held": "accept_device_setting",
    "_LAST_WORDS": "EXIT_GRACE",
    "LATE_AFTER": "LATE_EFFECT_S",
    "leave_note": "store_pending",
    "_left_to_restore": "_load_pending",
    "legacy_sensor": "sensor",
    "limit_gate": "limit_queue",
    "LimitGate": "LimitQueue",
    "line_to": "transport_for",
    "LOOSER": "LESS_STRICT",
    "lower_taken": "used_lower_limit",
    "manners": "timing",
    "may_be_kept": "is_acceptable",
    "_mend": "_run_fix",
    "_mended": "_finish_fixed",
    "migrated_entities": "entities",
    "Mishaps": "FaultInjector",
    "mishaps": "fault_injector",
    "mode_in_words": "mode_name",
    "_mode_was_other": "_mode_changed",
    "Mood": "Health",
    "move_in": "migrate",
    "moved_in_issue_id": "issue_id",
    "_must_hold": "_set_pending",
    "nobody_is_accused": "failed_poll_restarts_grace_period",
    "NOT_SERVED_INTERVAL": "TELEMETRY_PROBE_INTERVAL",
    "_note_telemetry": "_record_poll",
    "NoteKeeper": "PendingRestoreStore",
    "NotFinishedError": "StepFailedError",
    "_NOTHING_TO_FILL_IN": "_EMPTY_SCHEMA",
    "NotToBeKeptError": "SettingNotAcceptableError",
    "_or_show_again": "_run_or_show_error",
    "OrderError": "CommandError",
    "Orders": "ExportConstraint",
    "PATIENCE": "GRACE_PERIOD_S",
    "Patience": "OverloadModel",
    "power_in_words": "format_kw",
    "put_back_now": "restore_baseline",
    "QUICK": "FAST_TIMING",
    "_Reading": "_SettingsReader",
    "reason_against": "port_problem",
    "rehearsal": "dry_copy",
    "_remember_nowhere": "_no_pending_store",
    "rest_of_odd_answer": "malformed_answer_drain",
    "SETTLE_TIMEOUT": "SHUTDOWN_TIMEOUT",
    "show_proven": "set_verified",
    "silence_issue_id": "issue_id",
    "_stands": "_pending",
    "_take_over": "_apply_settings",
    "take_over_interval": "apply_scan_interval",
    "test_described": "test_translations",
    "test_ends": "test_shutdown",
    "test_manners": "test_pacing",
    "test_told": "test_report",
    "test_watch": "test_meter_watch",
    "TestAnEndInTheMiddle": "TestShutdownDuringCommand",
    "tireless": "enabled",
    "_truth": "_boolean",
    "UNKNOWN_READ_AFTER": "REREAD_DELAY",
    "unsettled": "pending_target",
    "_what_is_held": "_describe_device",
    "_who_decides": "_limit_not_binding",
    "WindowError": "FormError",
    "_Words": "_sentences",
    "_Work": "_ActionBody",
}
"""The name that took the place of each one, in files and as the name of a file."""
_GONE: Final = re.compile(rf"\b({'|'.join(GONE)})\b")


def main() -> int:
    """Print each place of a former name; return the exit status."""
    places = 0
    for path in (path for folder in CHECKED for path in sorted(Path(folder).rglob("*.py"))):
        for number, line in enumerate((path.stem, *path.read_text("utf-8").splitlines())):
            for name in _GONE.findall(line):
                places += 1
                print(f"{path}:{number}: {name} is now {GONE[name]}")
    return min(places, 1)


if __name__ == "__main__":
    sys.exit(main())
