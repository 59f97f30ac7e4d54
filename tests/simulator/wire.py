"""A client without pacing: sends bytes to a port and returns the whole answer."""

import asyncio
from typing import Final

from simulator import Simulator

TELEMETRY: Final = bytes.fromhex("0005 0101 0b 000d")
READ_LIMIT: Final = bytes.fromhex("0005 0101 43 0045")
VALUE_ON: Final = bytes.fromhex("0006 0101 40 01 0043")
VALUE_OFF: Final = bytes.fromhex("0006 0101 40 02 0044")
DRED_ON: Final = bytes.fromhex("0006 0101 33 01 0036")
DRED_OFF: Final = bytes.fromhex("0006 0101 33 02 0037")
RCR_ON: Final = bytes.fromhex("0006 0101 28 01 002b")
RCR_OFF: Final = bytes.fromhex("0006 0101 28 02 002c")
WRITE_5_KW: Final = bytes.fromhex("000e 0101 42 00007530 00001388 02 01 86")
SET_CLOCK: Final = bytes.fromhex("000c 0101 05 1a 03 00 1d 02 03 04 004a")
"""29 March 2026, 02:03:04."""

ACK, NAK, CLOCK_SET = b"\x06", b"\x15", b"\x03"


async def ask(sim: Simulator, request: bytes) -> bytes:
    """Return what comes until the device closes."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(sim.host, sim.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def status(sim: Simulator, request: bytes) -> bytes:
    """Return the status byte of the answer to a write, having checked the frame around it."""
    answer = await ask(sim, request)
    head, data, checksum = answer[:10], answer[10:-2], answer[-2:]
    assert head == b"\x04REVO\x00\x06\x01\x01" + request[4:5]
    assert sum(answer[7:-2]) == int.from_bytes(checksum)
    return data
