"""The config flow: setting up a device, and changing its address."""

import socket
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from .flow_steps import UserFlow, start_setup

READS = {0x0B, 0x43}


async def connected(hass: HomeAssistant, sim: Simulator) -> UserFlow:
    """Return a setup flow whose first step is done."""
    walk = await start_setup(hass)
    await walk.submit(host=sim.host, port=sim.port)
    assert walk.step == "export_limits"
    return walk


async def reconfiguring(hass: HomeAssistant, entry: MockConfigEntry) -> UserFlow:
    walk = UserFlow(hass.config_entries.flow, "config")
    await walk.start(DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id})
    assert walk.step == "reconfigure"
    return walk


@pytest.mark.promise("R-14")
async def test_setup_flow_writes_nothing_to_device(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await start_setup(hass)
    assert walk.step == "user"
    assert walk.defaults == {"name": "SEC1000", "host": "192.168.1.200", "port": 1234, "scan_interval": 30}
    await walk.submit(name=" Roof ", host=f" {sim.host} ", port=float(sim.port), scan_interval="5")
    assert walk.step == "export_limits"
    await walk.submit(min_export_limit=0.5, max_export_limit=7.5, total_capacity=12)
    assert walk.step == "control"
    await walk.submit(export_limit_control_mode="rcr", scan_three_phases=False)
    assert walk.outcome == "saved"
    await hass.async_block_till_done()

    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.title == "Roof"
    assert entry.version == 2
    assert entry.unique_id is None
    assert entry.data == {"name": "Roof", "host": sim.host, "port": sim.port}
    assert entry.options == {
        "scan_interval": 5,
        "min_export_limit": 0.5,
        "max_export_limit": 7.5,
        "total_capacity": 12.0,
        "export_limit_control_mode": "rcr",
        "scan_three_phases": False,
        "put_back": False,
        "allow_deactivating": False,
    }
    assert {type(value) for value in entry.options.values()} == {int, float, str, bool}
    assert entry.state is ConfigEntryState.LOADED
    assert {request.frame.command for request in sim.requests if request.frame} == READS


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("silence", "no_answer"),
        ("refused", "cannot_connect"),
        ("close-before-answer", "not_sec1000"),
        ("close-inside-answer", "not_sec1000"),
        ("wrong-checksum", "not_sec1000"),
        ("wrong-command", "not_sec1000"),
        ("six-byte-answer", "not_sec1000"),
        ("oversized-length", "not_sec1000"),
        ("garbage", "not_sec1000"),
        ("http", "not_sec1000"),
        ("nak", "not_sec1000"),
        ("unknown-mode", "not_sec1000"),
    ],
)
async def test_connection_fault_has_its_error_and_can_be_retried(
    hass: HomeAssistant, sim: Simulator, caplog: pytest.LogCaptureFixture, fault: str, error: str
) -> None:
    sim.inject(fault)
    walk = await start_setup(hass)
    given = {"name": "Roof", "host": sim.host, "port": sim.port, "scan_interval": 60}
    await walk.submit(**given)
    assert walk.step == "user"
    assert walk.errors == {"base": error}
    assert walk.defaults == given
    assert "Traceback" not in caplog.text

    sim.clear_faults()
    await walk.submit()
    assert walk.step == "export_limits"


async def test_setup_flow_retries_malformed_answers(hass: HomeAssistant, sim: Simulator) -> None:
    sim.inject("six-byte-answer", count=2)
    await connected(hass, sim)


async def test_unknown_host_name_has_its_error(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve_nothing(*_arguments: Any, **_more: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    walk = await start_setup(hass)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve_nothing)
        await walk.submit(host="sec1000.invalid", port=sim.port)
    assert walk.errors == {"host": "host_not_found"}
    await walk.submit(host=sim.host)
    assert walk.step == "export_limits"


async def test_unexpected_error_is_logged_and_can_be_retried(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: Any, **_more: Any) -> None:
        raise LookupError("the resolver fell over")

    walk = await start_setup(hass)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", broken)
        await walk.submit(host="sec1000.local", port=sim.port)
    assert walk.errors == {"base": "unknown"}
    assert "the resolver fell over" in caplog.text
    await walk.submit(host=sim.host)
    assert walk.step == "export_limits"


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("name", "", "invalid_name"),
        ("name", "  \t", "invalid_name"),
        ("name", "!?", "invalid_name"),
        ("name", "x" * 101, "invalid_name"),
        ("name", "電" * 60, "invalid_name"),
        ("host", "", "invalid_host"),
        ("host", "http://192.168.1.200", "invalid_host"),
        ("host", "192.168.1.300", "invalid_host"),
        ("host", "192.168.1.200:1234", "invalid_host"),
        ("host", "x" * 300, "invalid_host"),
        ("port", 0, "invalid_port"),
        ("port", 65536, "invalid_port"),
        ("port", 12.5, "invalid_port"),
        ("port", "modbus", "invalid_port"),
        ("port", None, "invalid_port"),
        ("port", True, "invalid_port"),
        ("port", [1234], "invalid_port"),
        ("scan_interval", 4, "invalid_interval"),
        ("scan_interval", -30, "invalid_interval"),
        ("scan_interval", 7.5, "invalid_interval"),
        ("scan_interval", 3601, "invalid_interval"),
        ("scan_interval", "nan", "invalid_interval"),
        ("scan_interval", "inf", "invalid_interval"),
        ("scan_interval", 10**400, "invalid_interval"),
    ],
)
async def test_invalid_connection_is_refused_at_its_field(
    hass: HomeAssistant, sim: Simulator, field: str, value: Any, error: str
) -> None:
    walk = await start_setup(hass)
    await walk.submit(**{"host": sim.host, "port": sim.port, field: value})
    assert walk.step == "user"
    assert walk.errors == {field: error}
    assert sim.requests == []
    await walk.submit(name="Roof", host=sim.host, port=sim.port, scan_interval=30)
    assert walk.step == "export_limits"


async def test_all_invalid_fields_are_reported_at_once(hass: HomeAssistant) -> None:
    walk = await start_setup(hass)
    await walk.submit(name="", host="a b", port=-1, scan_interval=1)
    assert walk.errors.keys() == {"name", "host", "port", "scan_interval"}


async def test_same_host_and_port_is_refused(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    walk = await start_setup(hass)
    await walk.submit(name="Another", host=f" {sim.host}", port=sim.port)
    assert walk.outcome == "already_configured"
    assert sim.requests == []


@pytest.mark.parametrize("host", ["localhost", "::ffff:127.0.0.1", "0.0.0.0", "\uff11\uff12\uff17.0.0.1"])  # noqa: S104
async def test_other_spelling_of_the_same_host_is_refused(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, host: str
) -> None:
    assert loaded.data["host"] == "127.0.0.1"
    sim.requests.clear()
    walk = await start_setup(hass)
    await walk.submit(name="Another", host=host, port=sim.port)
    assert walk.outcome == "already_configured"
    assert sim.requests == []


@pytest.mark.parametrize("host", ["sec1000.local", "SEC1000.LOCAL ", "Sec1000.Local"])
async def test_host_is_compared_without_case_and_blanks(hass: HomeAssistant, host: str) -> None:
    MockConfigEntry(domain=DOMAIN, version=2, data={"host": "Sec1000.local", "port": 1234}).add_to_hass(hass)
    walk = await start_setup(hass)
    await walk.submit(host=host, port=1234)
    assert walk.outcome == "already_configured"


async def test_address_of_entry_to_be_migrated_is_refused(
    hass: HomeAssistant,
) -> None:
    MockConfigEntry(
        domain=DOMAIN,
        version=1,
        data={"host": "192.168.1.7"},
        options={"host": "192.168.1.8"},
        disabled_by=ConfigEntryDisabler.USER,
    ).add_to_hass(hass)
    walk = await start_setup(hass)
    await walk.submit(host="192.168.1.8", port=1234)
    assert walk.outcome == "already_configured"


async def test_other_port_of_same_host_is_another_device(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    async with Simulator() as other:
        walk = await connected(hass, other)
        await walk.submit()
        await walk.submit()
        assert walk.outcome == "saved"
        await hass.async_block_till_done()
        assert len(hass.config_entries.async_loaded_entries(DOMAIN)) == 2


async def test_second_flow_for_one_device_is_refused_at_its_end(hass: HomeAssistant, sim: Simulator) -> None:
    first, second = await connected(hass, sim), await connected(hass, sim)
    for walk in (first, second):
        await walk.submit()
        await walk.submit()
    assert first.outcome == "saved"
    assert second.outcome == "already_configured"


@pytest.mark.parametrize(
    ("limit", "capacity", "suggested"),
    [
        (5000, 12000, (0, 5, 12)),
        (5004, 12009, (0, 5, 12.01)),
        (0, 12000, (0, 12, 12)),
        (-100, 12000, (0, 12, 12)),
        (20000, 12000, (0, 12, 12)),
        (2**31 - 1, 2**31 - 1, (0, 100, 100)),
        (5000, -1, (0, 5, 100)),
    ],
)
async def test_limits_are_prefilled_from_device_in_range_and_order(
    hass: HomeAssistant, limit: int, capacity: int, suggested: tuple[float, float, float]
) -> None:
    async with Simulator(limit=limit, capacity=capacity) as sim:
        walk = await connected(hass, sim)
    assert tuple(walk.defaults.values()) == suggested
    await walk.submit()
    assert walk.step == "control"


@pytest.mark.parametrize("mode", ControlMode)
async def test_mode_is_prefilled_from_device(hass: HomeAssistant, mode: ControlMode) -> None:
    async with Simulator(mode=mode) as sim:
        walk = await connected(hass, sim)
    await walk.submit()
    assert walk.defaults == {"export_limit_control_mode": mode.key, "scan_three_phases": True}


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"min_export_limit": 8}, {"min_export_limit": "minimum_above_maximum"}),
        ({"max_export_limit": 12.01}, {"max_export_limit": "maximum_above_capacity"}),
        (
            {"min_export_limit": 9, "max_export_limit": 8, "total_capacity": 7},
            {"min_export_limit": "minimum_above_maximum", "max_export_limit": "maximum_above_capacity"},
        ),
        ({"min_export_limit": -100.01}, {"min_export_limit": "invalid_limit"}),
        ({"max_export_limit": "seven"}, {"max_export_limit": "invalid_limit"}),
        ({"max_export_limit": False}, {"max_export_limit": "invalid_limit"}),
        ({"max_export_limit": "nan"}, {"max_export_limit": "invalid_limit"}),
        ({"total_capacity": 100.01}, {"total_capacity": "invalid_power"}),
        ({"total_capacity": None}, {"total_capacity": "invalid_power"}),
        ({"total_capacity": -0.01}, {"total_capacity": "invalid_power"}),
    ],
)
async def test_invalid_limits_are_refused_at_their_field(
    hass: HomeAssistant, given: dict[str, Any], errors: dict[str, str]
) -> None:
    async with Simulator(limit=5000, capacity=12000) as sim:
        walk = await connected(hass, sim)
    await walk.submit(**given)
    assert walk.step == "export_limits"
    assert walk.errors == errors
    assert (
        walk.defaults
        == {
            "min_export_limit": 0,
            "max_export_limit": 5,
            "total_capacity": 12,
        }
        | given
    )
    await walk.submit(min_export_limit=5, max_export_limit=5, total_capacity=5)
    assert walk.step == "control"


async def test_power_is_stored_with_two_decimals(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit(min_export_limit=1.149, max_export_limit="1.15", total_capacity=29.999)
    await walk.submit()
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.options["min_export_limit"] == 1.15
    assert entry.options["max_export_limit"] == 1.15
    assert entry.options["total_capacity"] == 30
    await hass.async_block_till_done()


async def test_steps_show_device_settings_and_differences(hass: HomeAssistant) -> None:
    async with Simulator(mode=ControlMode.RCR, limit=5000, capacity=12000) as sim:
        walk = await connected(hass, sim)
        held = "device settings: control mode *RCR: Germany*, export limit 5.00 kW, total capacity 12.00 kW."
        for _window in range(2):
            assert held in walk.text
            assert "differs from" not in walk.text
            assert "You are responsible for these settings" in walk.text
            assert "penalties from your grid operator" in walk.text
            await walk.submit()
        assert walk.outcome == "saved"

    async with Simulator(mode=ControlMode.RCR, limit=5000, capacity=12000) as sim:
        walk = await connected(hass, sim)
        await walk.submit(min_export_limit=6, max_export_limit=8, total_capacity=30)
        assert held in walk.text
        assert "export limit is outside the range set here (6.00 to 8.00 kW)" in walk.text
        assert "total capacity differs from the value set here (30.00 kW)" in walk.text
        assert "Select the control mode and the measurement" in walk.text
        await walk.submit(export_limit_control_mode="deactivated")
        await walk.choose("control")
        assert "control mode differs from the one set here (*Deactivated*)" in walk.text
    await hass.async_block_till_done()


async def test_mode_names_are_translated_or_english(hass: HomeAssistant, sim: Simulator) -> None:
    hass.config.language = "tlh"
    walk = await connected(hass, sim)
    assert "Value: Central Europe" in walk.text


@pytest.mark.promise("R-13")
async def test_deactivated_needs_confirmation_at_setup(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit()
    await walk.submit(export_limit_control_mode="deactivated", scan_three_phases=False)
    assert walk.step == "confirm_deactivated"
    assert "all solar energy" in walk.text
    assert "goes to the grid.**" in walk.text
    assert "Export cannot be disabled then" in walk.text
    assert hass.config_entries.async_entries(DOMAIN) == []
    assert walk.options == ["control", "deactivate"]
    await walk.choose("deactivate")
    assert walk.outcome == "saved"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.options["export_limit_control_mode"] == "deactivated"
    assert entry.options["allow_deactivating"] is False
    await hass.async_block_till_done()
    assert sim.device.mode is ControlMode.VALUE


async def test_confirmation_leads_back_to_choice_of_mode(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit()
    await walk.submit(export_limit_control_mode="deactivated", scan_three_phases=False)
    await walk.choose("control")
    assert walk.step == "control"
    assert walk.defaults == {"export_limit_control_mode": "deactivated", "scan_three_phases": False}
    await walk.submit(export_limit_control_mode="dred")
    assert walk.outcome == "saved"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.options["export_limit_control_mode"] == "dred"
    await hass.async_block_till_done()


async def test_setup_goes_back_to_correct_name_and_limits(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await start_setup(hass)
    await walk.submit(name="Rof", host=sim.host, port=sim.port, scan_interval=60)
    await walk.submit(max_export_limit=8)
    assert walk.step == "control"
    await walk.submit(scan_three_phases=False, go_back=True)
    assert walk.step == "export_limits"
    assert walk.defaults["max_export_limit"] == 8
    await walk.submit(max_export_limit=7, go_back=True)
    assert walk.step == "user"
    assert walk.defaults == {"name": "Rof", "host": sim.host, "port": sim.port, "scan_interval": 60}
    await walk.submit(name="Roof")
    assert walk.defaults["max_export_limit"] == 7
    await walk.submit()
    assert walk.defaults["scan_three_phases"] is False
    await walk.submit()
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert (entry.title, entry.options["max_export_limit"]) == ("Roof", 7)
    assert entry.options["scan_interval"] == 60
    await hass.async_block_till_done()


async def test_setup_goes_back_from_invalid_limits(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit(max_export_limit="seven", go_back=True)
    assert walk.step == "user"
    await walk.submit()
    assert walk.defaults["max_export_limit"] == 10


async def test_setup_suggests_limits_of_the_corrected_address(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit(max_export_limit=7, go_back=True)
    async with Simulator(limit=5000) as other:
        await walk.submit(port=other.port)
    assert walk.defaults["max_export_limit"] == 5
    assert "export limit 5.00 kW" in walk.text


@pytest.mark.parametrize(
    "given",
    [
        {"export_limit_control_mode": "off"},
        {"export_limit_control_mode": ["value"]},
        {"scan_three_phases": "false"},
        {"scan_three_phases": 0},
        {"volume": 11},
    ],
)
async def test_values_that_are_no_booleans_are_refused(
    hass: HomeAssistant, sim: Simulator, given: dict[str, Any]
) -> None:
    walk = await connected(hass, sim)
    await walk.submit()
    with pytest.raises(InvalidData):
        await walk.submit(**given)
    await walk.submit()
    assert walk.outcome == "saved"
    await hass.async_block_till_done()


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
async def test_rest_client_gets_same_steps_and_errors(
    hass: HomeAssistant, sim: Simulator, hass_client: ClientSessionGenerator
) -> None:
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    address = "/api/config/config_entries/flow"
    response = await client.post(address, json={"handler": DOMAIN})
    flow = await response.json()
    assert [field["name"] for field in flow["data_schema"]] == ["name", "host", "port", "scan_interval"]
    port = next(field for field in flow["data_schema"] if field["name"] == "port")
    assert port["selector"]["number"] == {"min": 1, "max": 65535, "step": 1, "mode": "box"}
    address += f"/{flow['flow_id']}"

    response = await client.post(address, json={"host": "127.0.0.1", "port": "x", "scan_interval": 1})
    assert response.status == 200
    assert (await response.json())["errors"] == {"port": "invalid_port", "scan_interval": "invalid_interval"}
    response = await client.post(address, json={"host": 5})
    assert response.status == 400
    assert (await response.json())["errors"] == {"host": "expected str"}

    response = await client.post(address, json={"host": sim.host, "port": sim.port, "scan_interval": 30})
    assert (await response.json())["step_id"] == "export_limits"
    response = await client.post(address, json={})
    assert (await response.json())["step_id"] == "control"
    response = await client.post(address, json={"export_limit_control_mode": "deactivated"})
    assert (await response.json())["step_id"] == "confirm_deactivated"
    response = await client.post(address, json={})
    assert (await response.json())["step_id"] == "confirm_deactivated"
    response = await client.post(address, json={"next_step_id": "deactivate"})
    assert (await response.json())["type"] == "create_entry"
    await hass.async_block_till_done()


@pytest.mark.promise("R-14")
async def test_reconfigure_changes_address(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    options = dict(loaded.options)
    walk = await reconfiguring(hass, loaded)
    assert walk.defaults == {"host": loaded.data["host"], "port": loaded.data["port"]}
    async with Simulator(limit=4000) as other:
        await walk.submit(host=f"{other.host} ", port=other.port)
        assert walk.outcome == "reconfigure_successful"
        await hass.async_block_till_done()
        assert loaded.data == {"name": "SEC1000", "host": other.host, "port": other.port}
        assert loaded.options == options
        assert loaded.state is ConfigEntryState.LOADED
        assert (state := hass.states.get("sensor.sec1000_export_limit"))
        assert state.state == "4.0"
        assert {request.frame.command for request in other.requests if request.frame} == READS


async def test_reconfigure_to_same_address_reloads_entry(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    data = loaded.runtime_data
    walk = await reconfiguring(hass, loaded)
    await walk.submit()
    assert walk.outcome == "reconfigure_successful"
    await hass.async_block_till_done()
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.runtime_data is not data


async def test_reconfigure_refuses_what_setup_refuses(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await reconfiguring(hass, loaded)
    await walk.submit(host="a b", port=0)
    assert walk.errors == {"host": "invalid_host", "port": "invalid_port"}
    async with Simulator() as other:
        other.inject("http")
        await walk.submit(host=other.host, port=other.port)
        assert walk.errors == {"base": "not_sec1000"}
        assert walk.defaults == {"host": other.host, "port": other.port}
    assert loaded.data["port"] == sim.port
    await walk.submit(host=sim.host, port=sim.port)
    assert walk.outcome == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_reconfigure_refuses_address_of_another_entry(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    MockConfigEntry(domain=DOMAIN, version=2, data={"host": "sec1000.local", "port": 1234}).add_to_hass(hass)
    walk = await reconfiguring(hass, loaded)
    await walk.submit(host="SEC1000.local", port=1234)
    assert walk.outcome == "already_configured"


async def test_reconfigure_checks_address_again_after_the_answer(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    async with Simulator() as other:
        other.inject("six-byte-answer", count=1)
        walk = await reconfiguring(hass, loaded)
        submitted = hass.async_create_task(walk.submit(host=other.host, port=other.port))
        await other.wait_for_requests(1)
        MockConfigEntry(domain=DOMAIN, version=2, data={"host": other.host, "port": other.port}).add_to_hass(
            hass
        )
        await submitted
        assert walk.outcome == "already_configured"
