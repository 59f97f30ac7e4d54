"""Ports of this computer, reserved while a test needs them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import socket

from demo.ports import LOOPBACK


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a reserved port on which a server may listen."""
    with socket.socket() as holder:
        # Two sockets that both allow it may have one port as long as not both listen.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, 0))
        port: int = holder.getsockname()[1]
        yield port


@contextmanager
def withheld_port(port: int) -> Iterator[None]:
    """Reserve this port, unless it is in use anyway; no server answers there."""
    with socket.socket() as holder:
        with suppress(OSError):
            holder.bind((LOOPBACK, port))
        yield
