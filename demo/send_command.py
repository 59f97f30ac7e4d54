"""Send one command to a simulator's control port, for the demo's Home Assistant: PORT DO [NAME].

A script with few imports, because it is started every few seconds.
"""

import json
import socket
import sys
from typing import Any, Final

_TIMEOUT_S: Final = 5.0


def send_command(port: int, do: str, name: str | None = None) -> dict[str, Any]:
    """Return the answer to a command; raises OSError if the simulator does not respond."""
    command = {"do": do} if name is None else {"do": do, "name": name}
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as connection:
        connection.sendall(json.dumps(command).encode() + b"\n")
        with connection.makefile("rb") as answers:
            answer: dict[str, Any] = json.loads(answers.readline())
    return answer


def main() -> int:
    """Print the answer; return exit status 0 if the command was executed."""
    port, do, *name = sys.argv[1:]
    answer = send_command(int(port), do, *name)
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
