"""Gives a simulator one order on its control port, for the demo's Home Assistant: PORT DO [NAME].

Not run as a module, so that it starts fast: it is run every few seconds.
"""

import json
import socket
import sys
from typing import Any, Final

_TIMEOUT: Final = 5.0


def tell(port: int, do: str, name: str | None = None) -> dict[str, Any]:
    """Return the answer to an order; raises OSError where nobody takes it."""
    order = {"do": do} if name is None else {"do": do, "name": name}
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        connection.sendall(json.dumps(order).encode() + b"\n")
        with connection.makefile("rb") as answers:
            answer: dict[str, Any] = json.loads(answers.readline())
    return answer


def main() -> int:
    """Print the answer; the exit status says whether the order was carried out."""
    port, do, *name = sys.argv[1:]
    answer = tell(int(port), do, *name)
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
