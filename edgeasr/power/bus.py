"""An I2C bus behind a process that can be killed: a driver that hangs holds up nobody else.

The process answers requests on pipes, so that all decoding is done here and it imports next to nothing.
"""

from __future__ import annotations

import errno
import os
import select
import time
from pathlib import Path
from typing import Final

from edgeasr.errors import PowerSourceError
from edgeasr.worker import Child

WORKER: Final = Path(__file__).with_name("worker.py")
ANSWER_SECONDS: Final = 3.0  # the kernel gives a transfer one second, and may try it again
_START_SECONDS: Final = 15.0  # Python's start on the slowest board under load
_LINE_BYTES: Final = 4096
_NO_BUS: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.EACCES, errno.EPERM})


class BusProcess:
    """Bus `number`; `registers` gives the view of one chip. The process starts with the first request.

    A request that is not answered in time kills the process and raises PowerSourceError; the next starts another one.
    """

    def __init__(
        self,
        number: int,
        root: Path = Path("/"),
        *,
        answer_seconds: float = ANSWER_SECONDS,
        start_seconds: float = _START_SECONDS,
        worker: Path = WORKER,
    ) -> None:
        self.number, self._root, self._seconds, self._worker = number, root, answer_seconds, worker
        self._more = start_seconds
        self._child: Child | None = None
        self._requests = self._answers = -1
        self._rest = b""

    @property
    def pid(self) -> int | None:
        """Process id, None while there is none."""
        return self._child.pid if self._child else None

    def registers(self, address: int) -> ChipRegisters:
        """Return the registers of the chip at an address."""
        return ChipRegisters(self, address)

    def request(self, line: str) -> bytes:
        """Send a request; return the bytes of the answer. Raises OSError for what the kernel says of the chip."""
        try:
            if self._child is None or not self._child.is_alive:
                self.close()
                self._start()
                self._line(self._more)  # its greeting: the start is not the bus's time
            os.write(self._requests, line.encode("ascii") + b"\n")
            answer = self._line(self._seconds)
        except (OSError, TimeoutError) as error:
            self.close()
            raise PowerSourceError(
                f"I2C bus {self.number} does not answer ({error}): check the board's seat and cable, then the driver "
                f"with `i2cdetect -y {self.number}`"
            ) from error
        number, data = self._parse(answer)
        if number is not None:
            if number in _NO_BUS:  # it was opened in vain, and the next request opens it anew
                self.close()
            raise OSError(number, os.strerror(number))
        return data

    def _parse(self, answer: bytes) -> tuple[int | None, bytes]:
        """Return the kernel's error number, or the bytes."""
        try:
            if answer.startswith(b"!"):
                return int(answer[1:]), b""
            return None, bytes.fromhex(answer.decode("ascii"))
        except ValueError:
            self.close()
            raise PowerSourceError(
                f"the process for I2C bus {self.number} answers nonsense: install the package anew"
            ) from None

    def close(self) -> None:
        """Kill the process; one that hangs in its driver goes when the driver lets it."""
        if self._child is not None:
            self._child.kill()
            self._child.reap()
            self._child = None
        for name in ("_requests", "_answers"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                setattr(self, name, -1)
                os.close(descriptor)
        self._rest = b""

    def _start(self) -> None:
        asked, self._requests = os.pipe()
        self._answers, answered = os.pipe()
        try:
            bus = str(self._root / f"dev/i2c-{self.number}")
            # Alone and without site-packages: 4 MB of memory in place of 9.
            program = ("-I", "-S", str(self._worker), bus, str(asked), str(answered))
            self._child = Child(self._worker.stem, {}, (asked, answered), program)
        except OSError as error:
            raise PowerSourceError(f"the process for I2C bus {self.number} cannot start: {error}") from error
        finally:
            os.close(asked)
            os.close(answered)

    def _line(self, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._answers], [], [], max(0.0, left))
            if not ready:
                raise TimeoutError(f"nothing for {seconds:g} s")
            data = os.read(self._answers, _LINE_BYTES)
            if not data:
                raise BrokenPipeError(f"its process has ended, {self._ending()}")
            self._rest += data
            if len(self._rest) > _LINE_BYTES:
                raise OSError("an answer without end")
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def _ending(self) -> str:
        if self._child is None or not self._child.reap():
            return "for no known reason"
        return self._child.last_words()


class ChipRegisters:
    """One chip's registers; raises OSError as the kernel does, PowerSourceError where the bus hangs."""

    def __init__(self, bus: BusProcess, address: int) -> None:
        self._bus, self._address = bus, address

    def word(self, register: int) -> int:
        """Return an SMBus word, the first byte on the wire the low one."""
        return int.from_bytes(self._bus.request(f"word {self._address} {register}"), "little")

    def block(self, register: int, length: int) -> bytes:
        """Return `length` bytes, 32 at most, from a register on."""
        return self._bus.request(f"block {self._address} {register} {length}")
