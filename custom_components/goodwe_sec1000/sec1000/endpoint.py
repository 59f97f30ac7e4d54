"""Host and port as they were entered, and the transport to the device that is found there.

Two spellings of one host are one device: they share a transport, and with it the turn and the budget.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import ipaddress
import socket
from typing import Final
import unicodedata
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from . import timing
from .command import Command
from .errors import HostNotFoundError
from .stats import RequestStats
from .timing import Timing
from .transport import STREAM_LIMIT, Reading, Transaction, Transport
from .turns import Claim, Priority

LOOK_UP_INTERVAL_S: Final = 600.0
"""Between two look-ups of a name; a failed connection is followed by one as well."""
LOOK_UP_DEADLINE_S: Final = 3.0
HAPPY_EYEBALLS_DELAY_S: Final = 0.25
"""Until the next address of a name is tried as well."""
UNUSED_S: Final = 3600.0
"""After that an address that no client has is forgotten, with what was sent there."""


class Endpoint:
    """One host and port; clients of the same spelling share it."""

    def __init__(self, host: str, port: int) -> None:
        """Lead to the device at this host and port; `endpoint_for` knows the one that others share."""
        self.host: Final = canonical(host)
        self.port: Final = port
        self.users: Final = WeakSet[object]()
        """The clients that are in use."""
        self.used_at = asyncio.get_running_loop().time()
        """When it was last asked for (s, the event loop's clock)."""
        self.transport = Transport(timing.STANDARD)
        """To the device that this led to when it was last looked up."""
        self._is_address = _is_address(self.host)
        self._answered: str | None = None
        """The address of the name that accepted the last connection."""
        self._look_up_at = 0.0

    @asynccontextmanager
    async def hold(self, claim: Callable[[], Claim], stats: RequestStats) -> AsyncIterator[Transaction]:
        """Wait for the turn and keep it for a transaction, which no other request interrupts.

        It comes once the budget has what `claim` returns then. From there on no request waits for the
        budget.
        """
        transport, _ = await self._take(claim, lambda _transport: lambda: None)
        stats.is_under_way = True
        try:
            yield Transaction(transport, self, stats)
        finally:
            transport.turns.release()

    async def read[T](
        self,
        command: Command[T],
        priority: Priority,
        stats: RequestStats,
        *,
        jitter: float = 0.0,
        max_age: float = 0.0,
        seen: int = 0,
    ) -> Reading[T]:
        """Return the answer to a read; one request serves all that wait for the same.

        Where the last good answer is too recent to ask again, that one is returned, after the pause that
        a request would need; also where it is newer than the one with the number `seen`, and less than
        `max_age` seconds old. `jitter` is by how many seconds a caller that keeps the interval by itself
        may be early. Raises as `Transaction.ask`.
        """

        def is_recent(reading: Reading[T], timing: Timing) -> bool:
            age = asyncio.get_running_loop().time() - reading.at
            is_new = reading.number > seen and age < max_age
            return is_new or age < timing.reread_interval - jitter

        return await self._ask_for_all(command.name, lambda: command, priority, stats, is_recent)

    async def write[T](
        self, name: str, command: Callable[[], Command[T]], priority: Priority, stats: RequestStats
    ) -> Reading[T]:
        """Return the answer to a command of this name, which is made when it is sent.

        One request serves all that wait for the same. Raises as `Transaction.ask`.
        """
        return await self._ask_for_all(name, command, priority, stats, lambda _reading, _timing: False)

    async def _ask_for_all[T](
        self,
        name: str,
        command: Callable[[], Command[T]],
        priority: Priority,
        stats: RequestStats,
        is_recent: Callable[[Reading[T], Timing], bool],
    ) -> Reading[T]:
        """Send a request for all that wait for the same; `is_recent` says of an answer that it will do."""

        def recent(transport: Transport) -> Reading[T] | None:
            reading: Reading[T] | None = transport.last_reading(name)
            will_do = reading and reading.error is None and is_recent(reading, transport.timing)
            return reading if will_do else None

        def answer(transport: Transport) -> Callable[[], Reading[T] | None]:
            before = transport.requests

            def known() -> Reading[T] | None:
                reading = transport.last_reading(name)
                return reading if reading and reading.number > before else recent(transport)

            return known

        if recent(self.transport):
            # A loop without a pause would keep the whole program busy.
            await asyncio.sleep(self.transport.timing.pacing)

        transport, reading = await self._take(lambda: Claim(priority), answer)
        stats.is_under_way = True
        if reading is None:
            try:
                return await Transaction(transport, self, stats).read(command)
            finally:
                transport.turns.release()
        if reading.error:
            raise reading.error.with_traceback(None)
        return reading

    async def _take[T](
        self,
        claim: Callable[[], Claim],
        answer: Callable[[Transport], Callable[[], T | None]],
    ) -> tuple[Transport, T | None]:
        """Take the turn at the device that this leads to now; return its transport, or the answer.

        The name is looked up by whoever has the turn, so that nobody else connects meanwhile.
        """
        while True:
            transport = self.transport
            self.used_at = asyncio.get_running_loop().time()
            answered = await transport.turns.take(claim, answer(transport))
            if answered is not None:
                return transport, answered
            try:
                if await self.look_up() is transport:
                    return transport, None
            except BaseException:
                transport.turns.release()
                raise
            transport.turns.release()

    async def look_up(self) -> Transport:
        """Look the name up where that is due; return the transport to the device that it leads to.

        Where it cannot be looked up, it leads to where it led before.
        """
        loop = asyncio.get_running_loop()
        if self._is_address:
            self._share([self.host])
        elif loop.time() >= self._look_up_at:
            self._look_up_at = loop.time() + LOOK_UP_INTERVAL_S
            try:
                async with asyncio.timeout(LOOK_UP_DEADLINE_S):
                    found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            except OSError, ValueError, OverflowError:
                return self.transport
            addresses = [canonical(str(address[0])) for *_, address in found]
            if self._answered not in addresses:
                self._answered = None
            self._share([self._answered] if self._answered else addresses)
        return self.transport

    def _share(self, addresses: list[str]) -> None:
        """Share the transport of one of these addresses."""
        transports = _registry().transports
        keys = [(address, self.port) for address in addresses]
        known = [transports[key] for key in keys if key in transports]
        if known and self.transport not in known:
            self.transport = known[0]
        for key in keys:
            transports.setdefault(key, self.transport)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; all addresses of a name are tried.

        Raises HostNotFoundError, and OSError where nothing accepts a connection.
        """
        is_connected = False
        address = self.host if self._is_address else self._answered
        # Where only one address is tried anyway, asyncio's race could leave a cancelled connection open.
        delay = None if address else HAPPY_EYEBALLS_DELAY_S
        try:
            reader, writer = await asyncio.open_connection(
                address or self.host, self.port, limit=STREAM_LIMIT, happy_eyeballs_delay=delay
            )
            is_connected = True
        except (socket.gaierror, ValueError, OverflowError) as error:
            # Diagnostics show this.
            raise HostNotFoundError("the host name could not be resolved") from error
        finally:
            if not is_connected:
                self._answered = None
                self._look_up_at = 0.0
        if not self._is_address and (peer := writer.get_extra_info("peername")):
            answered = canonical(str(peer[0]))
            if answered != self._answered:
                # Another spelling may lead there as well.
                self._answered = answered
                self._look_up_at = 0.0
        return reader, writer


class _Registry:
    """What is shared in one event loop."""

    def __init__(self) -> None:
        self.endpoints: Final[dict[tuple[str, int], Endpoint]] = {}
        self.transports: Final = WeakValueDictionary[tuple[str, int], Transport]()
        """By address and port."""


_registries: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, _Registry]()


def _registry() -> _Registry:
    return _registries.setdefault(asyncio.get_running_loop(), _Registry())


def endpoint_for(host: str, port: int) -> Endpoint:
    """Return the endpoint of this host and port, shared by all callers in this event loop."""
    endpoints = _registry().endpoints
    now = asyncio.get_running_loop().time()
    for key, endpoint in tuple(endpoints.items()):
        if not endpoint.users and now - endpoint.used_at > UNUSED_S:
            del endpoints[key]
    key = (canonical(host), port)
    if key not in endpoints:
        endpoints[key] = Endpoint(host, port)
    endpoints[key].used_at = now
    return endpoints[key]


def canonical(host: str) -> str:
    """Return one spelling for all of the same IP address, or of a name apart from what it resolves to."""
    text = unicodedata.normalize("NFKC", host).strip().removesuffix(".").casefold()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_unspecified:
        # Connecting to it leads to this machine.
        return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IPv4
    return str(address)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
