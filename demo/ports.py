"""Check which ports of this computer are free."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def port_problem(port: int) -> str | None:
    """Return why a port of the loopback address cannot be used, or None if it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As servers do: closed connections that linger do not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
