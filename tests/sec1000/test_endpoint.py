"""Two spellings of one host are one device, and share what goes to it."""

import asyncio
import gc
from itertools import pairwise
import socket
from typing import Any, Final

import pytest

from custom_components.goodwe_sec1000.sec1000 import endpoint as module
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.endpoint import Endpoint, canonical, endpoint_for
from custom_components.goodwe_sec1000.sec1000.errors import HostNotFoundError, Sec1000Error
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator

NAMES: Final = {"roof.example": ["127.0.0.1"], "two.example": ["192.0.2.1", "127.0.0.1"]}
"""What a name resolves to."""
SPELLINGS: Final = (
    "localhost",
    "127.0.0.1",
    " 127.0.0.1 ",
    "::ffff:127.0.0.1",
    "0.0.0.0",  # noqa: S104 - a spelling of this machine
    "\uff11\uff12\uff17.0.0.1",
    "roof.example",
    "ROOF.example.",
    "two.example",
)

pytestmark = pytest.mark.usefixtures("warp")


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Let the names resolve; what is changed in the result, changes them."""
    resolve = socket.getaddrinfo
    addresses = {name: [*found] for name, found in NAMES.items()}

    def getaddrinfo(host: str, port: int, *arguments: Any, **more: Any) -> Any:
        if host.endswith(".example") and host not in addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            found
            for address in addresses.get(host, [host])
            for found in resolve(address, port, *arguments, **more)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return addresses


@pytest.mark.promise("R-06")
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_every_spelling_of_one_host_shares_transport(sim: Simulator, spelling: str) -> None:
    first, second = Sec1000Client("127.0.0.1", sim.port), Sec1000Client(spelling, sim.port)
    await asyncio.gather(first.read_telemetry(), second.read_export_settings())
    assert second.transport is first.transport
    arrivals = [request.time for request in sim.requests]
    assert len(arrivals) == 2
    assert all(later - earlier >= 0.49 for earlier, later in pairwise(arrivals))


async def test_other_port_is_another_device(sim: Simulator) -> None:
    one, other = endpoint_for("127.0.0.1", sim.port), endpoint_for("127.0.0.1", sim.port + 1)
    assert await one.look_up() is not await other.look_up()


async def test_name_that_leads_elsewhere_changes_transport(
    sim: Simulator, names: dict[str, list[str]]
) -> None:
    names["roof.example"] = ["192.0.2.7"]
    client, there = Sec1000Client("roof.example", sim.port), Sec1000Client("127.0.0.1", sim.port)
    with pytest.raises(Sec1000Error):
        await client.read_export_settings(tries=1)
    names["roof.example"] = ["127.0.0.1"]
    await asyncio.gather(client.read_export_settings(), there.read_telemetry())
    assert client.transport is there.transport


async def test_name_is_looked_up_every_10_minutes(sim: Simulator, names: dict[str, list[str]]) -> None:
    endpoint = endpoint_for("roof.example", sim.port)
    first = await endpoint.look_up()
    names["roof.example"] = ["192.0.2.7"]
    elsewhere = await endpoint_for("192.0.2.7", sim.port).look_up()
    await asyncio.sleep(599)
    assert await endpoint.look_up() is first
    await asyncio.sleep(2)
    assert await endpoint.look_up() is elsewhere


async def test_failed_look_up_keeps_last_device(sim: Simulator, names: dict[str, list[str]]) -> None:
    client = Sec1000Client("roof.example", sim.port)
    await client.read_export_settings()
    transport = client.transport
    del names["roof.example"]
    await asyncio.sleep(601)
    assert (await client.read_export_settings()).limit == 10_000
    assert client.transport is transport


async def test_name_without_address_is_host_not_found(sim: Simulator) -> None:
    with pytest.raises(HostNotFoundError):
        await Sec1000Client("none.example", sim.port).read_export_settings(tries=1)


async def test_dead_first_address_costs_a_quarter_second(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop: Any = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def hang_where_dead(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "192.0.2.1":
            await asyncio.sleep(3_600)
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", hang_where_dead)
    client = Sec1000Client("two.example", sim.port)
    client.transport.timing = Timing()
    began = loop.time()
    await client.read_export_settings(tries=1)
    assert loop.time() - began == pytest.approx(0.25, abs=0.1)
    began = loop.time()
    await client.read_telemetry(tries=1)
    # The address that answered is asked from then on.
    assert loop.time() - began == pytest.approx(0.5, abs=0.1)


async def test_two_entries_of_one_device_share_polls(sim: Simulator) -> None:
    first, second = Sec1000Client("127.0.0.1", sim.port), Sec1000Client("localhost", sim.port)
    for _ in range(10):
        await first.read_telemetry(max_age=15)
        await asyncio.sleep(10)
        await second.read_telemetry(max_age=15)
        await asyncio.sleep(20)
    assert len(sim.requests) == 10


async def test_poll_of_the_only_entry_is_always_sent(sim: Simulator) -> None:
    client = Sec1000Client("127.0.0.1", sim.port)
    for _ in range(10):
        await client.read_telemetry(max_age=15)
        await asyncio.sleep(5)
    assert len(sim.requests) == 10


async def test_address_without_client_is_forgotten(sim: Simulator) -> None:
    tried = [endpoint_for(f"tried{number}.example", sim.port) for number in range(20)]
    used = Sec1000Client("127.0.0.1", sim.port)
    del tried
    await asyncio.sleep(module.UNUSED_S + 1)
    gc.collect()
    endpoint_for("192.0.2.7", sim.port)
    assert {endpoint.host for endpoint in module._registry().endpoints.values()} == {"127.0.0.1", "192.0.2.7"}
    assert used.endpoint is endpoint_for("127.0.0.1", sim.port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("SEC1000.Local.", "sec1000.local"),
        ("::ffff:192.168.1.200", "192.168.1.200"),
        ("FE80::1", "fe80::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::", "::1"),
    ],
)
async def test_spelling_is_canonical(host: str, expected: str) -> None:
    assert canonical(host) == expected
    assert Endpoint(host, 1234).host == expected
