"""For any settings of an older entry, the migrated ones are valid and every change is reported."""

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import given, strategies as st

from custom_components.goodwe_sec1000.forms import validate
from custom_components.goodwe_sec1000.migration.settings import DEFAULTS, settings_from
from custom_components.goodwe_sec1000.options import ExportOptions

ANYTHING: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.floats(min_value=-120, max_value=120)
    | st.integers(min_value=-1, max_value=4)
    | st.text(max_size=120)
    | st.sampled_from(["7", "7.5", "1e3", "nan", "on", "off", "value"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(), st.integers(), max_size=2)
)
OLDER: Final = st.fixed_dictionaries({}, optional=dict.fromkeys(DEFAULTS, ANYTHING))
STORED: Final = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("min_export_limit", "max_export_limit"), ANYTHING)
)
_MODES: Final = {0: "deactivated", 1: "dred", 2: "rcr", 3: "value"}


@given(OLDER, STORED, st.booleans())
def test_migrated_settings_are_always_valid(
    older: Mapping[str, Any], stored: Mapping[str, Any], shared_store: bool
) -> None:
    settings = settings_from(older, stored, shared_store=shared_store)
    values = {**settings.data, **settings.options}
    judged, errors = validate({key: value for key, value in values.items() if key != "host"})
    assert errors == {}
    assert judged == {key: value for key, value in values.items() if key != "host"}
    options = ExportOptions.from_options(settings.options)
    assert -100_000 <= options.min_export_limit <= options.max_export_limit
    assert 0 <= options.total_capacity <= 100_000
    assert options.max_export_limit <= options.total_capacity
    assert isinstance(settings.options["scan_interval"], int)
    assert isinstance(settings.options["scan_three_phases"], bool)
    assert settings.data["host"]


@given(OLDER, st.booleans())
def test_settings_without_correction_are_unchanged(older: Mapping[str, Any], shared_store: bool) -> None:
    settings = settings_from(older, {}, shared_store=shared_store)
    reported = {correction.setting for correction in settings.corrections}
    values = {"device_name": settings.data["name"], "host": settings.data["host"], **settings.options}
    for key in DEFAULTS:
        if ("name" if key == "device_name" else key) not in reported:
            mode = key == "export_limit_control_mode"
            assert (_MODES[older[key]] if mode else older[key]) == values[key]


@given(OLDER, STORED)
def test_shared_store_never_raises_a_limit(older: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    one = settings_from(older, stored, shared_store=False).options
    shared_store = settings_from(older, stored, shared_store=True).options
    for key in ("min_export_limit", "max_export_limit"):
        assert shared_store[key] <= one[key]


@given(OLDER, STORED, st.booleans())
def test_migration_is_idempotent(
    older: Mapping[str, Any], stored: Mapping[str, Any], shared_store: bool
) -> None:
    first = settings_from(older, stored, shared_store=shared_store)
    second = settings_from(older, stored, shared_store=shared_store)
    assert (first.data, first.options) == (second.data, second.options)
