"""Asks a SEC1000/S all that can be read, and tells in plain words what answers: python -m sec1000.probe HOST.

It needs Python 3.14 and nothing else, writes nothing to the device, and exits with a status of `Verdict`.
"""

import sys

if __name__ == "__main__":
    # The folder that it is started in has a select.py, which must not hide Python's own.
    sys.path.pop(0)

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
import json
from pathlib import Path
import platform
from typing import Final

from .asker import asked_by
from .command import READ_EXPORT_SETTINGS, READ_TELEMETRY
from .endpoint import Endpoint
from .errors import Sec1000Error
from .report import Report, Verdict
from .stats import RequestStats
from .transport import Exchange
from .turns import Claim, Priority

PAUSE_S: Final = 5.0
"""Between two requests; a device is not known to bear less for long."""
_TELEMETRY, _SETTINGS = READ_TELEMETRY, READ_EXPORT_SETTINGS
_PLAN: Final = (_SETTINGS, *(_TELEMETRY,) * 4, _SETTINGS, *(_TELEMETRY,) * 5, _SETTINGS)
_TRIES: Final = 3
"""So many failures in a row, and a request is not sent any more."""
_DEFAULT_PORT: Final = 1234
_CANNOT_BEGIN: Final = 2


async def ask(endpoint: Endpoint, pause: float) -> AsyncIterator[Exchange]:
    """Send the requests one by one, at most twelve, `pause` seconds apart, and yield each exchange.

    Where none of the first three is answered well, they are all. One that failed three times in a row is
    left out from then on.
    """
    failures: Counter[str] = Counter()
    is_known = False
    for index, command in enumerate(_PLAN):
        if index == _TRIES and not is_known:
            return
        if failures[command.name] == _TRIES:
            continue
        if index:
            await asyncio.sleep(pause)
        try:
            with asked_by("probe"):
                async with endpoint.hold(lambda: Claim(Priority.READ), RequestStats()) as transaction:
                    await transaction.ask(command)
        except Sec1000Error:
            failures[command.name] += 1
        else:
            failures[command.name] = 0
            is_known = True
        yield endpoint.transport.exchanges[-1]


def file_content(exchanges: Iterable[Exchange], report: Report) -> str:
    """Return the file to attach to a report: no address is in it."""
    kept = list(exchanges)
    return json.dumps(
        {
            "probe": {"python": platform.python_version()},
            "report": report.as_dict(),
            "exchanges": [exchange.as_dict() for exchange in kept],
        },
        indent=2,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    print(
        f"At most {len(_PLAN)} requests are sent to the SEC1000/S at {options.host}, port {options.port}, "
        "within a minute. Nothing is written to it.\n"
        "No other program may poll it meanwhile: disable its entry in Home Assistant (Settings > Devices & "
        "services), and close ProMate."
    )
    try:
        if not options.yes:
            input("Press Enter to start, Ctrl-C to cancel. ")
        exchanges = asyncio.run(_ask_all(options.host, options.port))
    except EOFError:
        print("\nThere is no terminal to press Enter in: use --yes.", file=sys.stderr)
        return _CANNOT_BEGIN
    except KeyboardInterrupt:
        print("\nCanceled.", file=sys.stderr)
        return _CANNOT_BEGIN
    report = Report.from_exchanges(exchanges)
    _print(report)
    if options.json:
        options.json.write_text(file_content(exchanges, report) + "\n", "utf-8")
        print(f"\nAttach {options.json} to a report. It contains no address.")
    return report.verdict


async def _ask_all(host: str, port: int) -> list[Exchange]:
    exchanges = []
    async for exchange in ask(Endpoint(host, port), PAUSE_S):
        outcome = "failed" if exchange.failed else "successful"
        print(f"  {exchange.command}: {outcome}, {exchange.seconds:.2f} s", flush=True)
        exchanges.append(exchange)
    return exchanges


def _print(report: Report) -> None:
    print()
    for fact in report.facts:
        print(fact)
    heading = {
        Verdict.AS_DOCUMENTED: "Everything is as in docs/protocol.md.",
        Verdict.UNUSUAL: "Unusual, compared with docs/protocol.md:",
    }.get(report.verdict, "No SEC1000/S was found:")
    print(f"\n{heading}")
    for sentence in report.unusual:
        print(f"- {sentence}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="probe",
        description="Read everything from a SEC1000/S, and report what responds, how fast, what is unusual.",
        epilog="exit status: "
        + ", ".join(f"{verdict} {verdict.name.lower().replace('_', ' ')}" for verdict in Verdict)
        + f", {_CANNOT_BEGIN} not started or not finished",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("host", help="address of the device, such as 192.168.1.200")
    add("--port", type=_port, default=_DEFAULT_PORT, help="its port (default: %(default)s)")
    add("--yes", action="store_true", help="do not wait for Enter")
    add("--json", type=_file, metavar="FILE", help="write the report and every frame to this file")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(1, 0x10000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _file(text: str) -> Path:
    path = Path(text)
    try:
        # Better now than after a minute.
        path.touch()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {error.strerror}") from None
    return path


if __name__ == "__main__":
    sys.exit(main())
