"""Which ports of this computer are free."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def port_problem(port: int) -> str | None:
    """Return why nothing can listen on a port of the loopback address, or None where it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As servers do it: what is left of connections that have ended does not count as taken.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
