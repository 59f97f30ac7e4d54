"""Run the simulator until Ctrl-C or SIGTERM."""

import asyncio
from datetime import datetime
import signal
import sys

from .cli import Options, fault_list, parse
from .control import HOST, Control
from .exchange import Answer, Request
from .house import House
from .simulator import Simulator

_KEPT_REQUESTS = 1000


def main() -> int:
    """Return the exit status: 0 after Ctrl-C or SIGTERM, 1 if a port is not available."""
    options = parse()
    if options.list_faults:
        print(fault_list())
        return 0
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    simulator = _create_simulator(options)
    control = Control(simulator)
    try:
        await simulator.start()
        for command in options.commands:
            await command(simulator)
        if options.control_port is not None:
            print(f"control on {HOST}:{await control.start(options.control_port)}")
        print(f"listening on {simulator.host}:{simulator.port}", flush=True)
        await ended.wait()
    except OSError as error:
        print(f"cannot listen: {error.strerror or error}", file=sys.stderr)
        return 1
    finally:
        await control.stop()
        await simulator.stop()
    return 0


def _create_simulator(options: Options) -> Simulator:
    return Simulator(
        host=options.host,
        port=options.port,
        mode=options.mode,
        capacity=options.capacity,
        limit=options.limit,
        house=House(
            inverters=options.inverters,
            start=options.start,
            speed=options.speed,
            battery=options.battery,
            seed=options.seed,
        ),
        overload=options.overload,
        replay=options.replay,
        seed=options.seed,
        keep_requests=_KEPT_REQUESTS,
        on_exchange=_log if options.verbose else None,
    )


def _log(request: Request, answer: Answer) -> None:
    time = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
    note = "" if request.frame else " (not a request)"
    print(f"{time} < {request.raw.hex(' ')}{note}", file=sys.stderr)
    print(f"{time} > {answer.delivery.name.lower()} {answer.data.hex(' ')}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
