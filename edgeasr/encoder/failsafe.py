"""The encoder that goes on whatever the Edge TPU does: the ladder from the TPU to the CPU and back."""

from __future__ import annotations

import logging
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from edgeasr.encoder.protocol import Accelerator
from edgeasr.errors import AcceleratorError
from edgeasr.worker import RestartBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgeasr.encoder.interpreter import Runtime
    from edgeasr.encoder.process import EncoderProcess
    from edgeasr.encoder.streaming import StreamingEncoder

_LOG = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0  # between two looks for a TPU that is not attached
RETRY_SECONDS: Final = 1.0  # the least pause before a process that failed is replaced
LONGEST_WAIT: Final = 30.0  # seconds of one stretch after which the TPU takes over in the middle of it


class Rung(Enum):
    """Where the ladder stands; on every rung but the last the CPU does the work."""

    CPU = "cpu"
    """For good: nothing else can be had."""
    WAITING = "waiting"
    """Until the next attempt to get the TPU."""
    OPENING = "opening"
    """While a process for it starts."""
    READY = "ready"
    """The process waits for the next stretch, to take over there."""
    EDGETPU = "edgetpu"


class Witness(Protocol):
    """Who is told."""

    def accelerator_lost(self, why: str) -> None:
        """Hear that the TPU is not there although it was asked for, or no longer."""

    def accelerator_used(self, accelerator: Accelerator) -> None:
        """Hear what runs the encoder from now on."""

    def refused(self, fault: str) -> None:
        """Hear what the kernel has refused to the process."""


class FailsafeEncoder:
    """Runs the TPU's process where there is one, and the CPU from the very hop on that this does not answer.

    The encoder is stateful. What it can still know of, the last `memory_hops` hops, is kept, and run again where
    another one takes over: its states are then those of an encoder that was never replaced, and no row is lost or
    given twice. `poll` is to be called all the while, also when nobody speaks: it gets the TPU back.

    `look` returns the runtimes that may drive a TPU, or why there is none; `start` starts the process for one.
    `required`: the TPU was asked for, so that its absence is a loss.
    """

    def __init__(  # noqa: PLR0913
        self,
        cpu: StreamingEncoder,
        mels: int,
        *,
        look: Callable[[], Sequence[Runtime] | str],
        start: Callable[[Runtime], EncoderProcess],
        witness: Witness,
        required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hop_frames, self.stride = cpu.hop_frames, cpu.stride
        self.lookahead_frames = cpu.lookahead_frames
        self.rung = Rung.WAITING
        self.restarts = 0  # processes that failed
        self.replacements = 0  # those in whose place there is another one
        self._cpu, self._look, self._start = cpu, look, start
        self._witness, self._required, self._clock = witness, required, clock
        self._budget = RestartBudget(clock)
        self._next = clock()
        self._is_lost = False
        self._process: EncoderProcess | None = None
        self._ended: EncoderProcess | None = None  # killed, perhaps not dead yet
        self._opened: EncoderProcess | None = None
        self._absence = ""
        self._error: AcceleratorError | None = None
        self._opener: threading.Thread | None = None
        self._history = np.zeros((cpu.memory_hops, cpu.hop_frames, mels), dtype=np.float32)
        self._hops = 0  # of this stretch
        self._most_hops = round(LONGEST_WAIT * 100 / cpu.hop_frames)
        self._closed = False

    @property
    def accelerator(self) -> Accelerator:
        """Where it runs now."""
        return Accelerator.EDGETPU if self.rung is Rung.EDGETPU else Accelerator.CPU

    @property
    def pid(self) -> int:
        """Process that drives the TPU, 0 where there is none."""
        return self._process.pid if self._process else 0

    def reset(self) -> None:
        """Zero left context: an utterance begins."""
        self._hops = 0
        self._cpu.reset()
        if self.rung is Rung.READY:
            self._take_over()
        elif self._process is not None and self.rung is Rung.EDGETPU:
            try:
                self._process.reset()
            except AcceleratorError as error:
                self._fall(error)

    def step(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[hop_frames, mels] to float32[hop_frames / stride, units], natural log; a view until the next call."""
        rows = None
        if self.rung is Rung.READY and self._hops >= self._most_hops:
            self._take_over()
        if self.rung is Rung.EDGETPU and self._process is not None:
            try:
                rows = self._process.step(features)
            except AcceleratorError as error:
                self._fall(error)
        if rows is None:
            rows = self._cpu.step(features)
        np.copyto(self._history[self._hops % len(self._history)], features)
        self._hops += 1
        return rows

    def poll(self) -> None:
        """Do what is due: notice that the process has ended, look for a TPU, start a process, let it take over."""
        match self.rung:
            case Rung.WAITING if self._clock() >= self._next:
                self.rung = Rung.OPENING
                self._opener = threading.Thread(target=self._open, name="encoder-open", daemon=True)
                self._opener.start()
            case Rung.OPENING if self._opener is not None and not self._opener.is_alive():
                self._opener = None
                self._judge()
            case Rung.READY | Rung.EDGETPU if self._process is not None:
                try:
                    self._process.check()
                except AcceleratorError as error:
                    self._fall(error)

    def close(self) -> None:
        """End the process and let go of the graph."""
        self._closed = True
        for process in (self._process, self._ended):
            if process is not None:
                process.close()
                process.reap()
        self._process = self._ended = None
        self.rung = Rung.CPU
        self._cpu.close()

    def _open(self) -> None:
        """Get a process that is ready; runs in a thread, and leaves what came of it in the fields."""
        self._opened, self._absence, self._error = None, "", None
        try:
            self._bury()
            runtimes = self._look()
            if isinstance(runtimes, str):
                self._absence = runtimes
                return
            self._opened = self._first_that_works(runtimes)
        except AcceleratorError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - a fault of the machine's must not end the ladder
            self._error = AcceleratorError(
                f"the Edge TPU's process did not start ({error}): restart the service"
            )

    def _bury(self) -> None:
        """Raise AcceleratorError while a process that was killed still holds the TPU."""
        if self._ended is not None and not self._ended.is_gone:
            raise AcceleratorError(
                "the process that drove the Edge TPU is stuck in its driver: unplug the TPU and plug it in again"
            )
        self._ended = None

    def _first_that_works(self, runtimes: Sequence[Runtime]) -> EncoderProcess | None:
        last: AcceleratorError | None = None
        for runtime in runtimes:
            process = self._start(runtime)
            try:
                process.wait_ready()
            except AcceleratorError as error:
                process.close()
                if not process.reap():
                    self._ended = process
                last = AcceleratorError(f"with {runtime.value}: {error}")
                continue
            if self._closed:
                process.close()
                process.reap()
                return None
            return process
        if last is not None:
            raise last
        return None

    def _judge(self) -> None:
        """Decide on what came of an attempt."""
        if self._opened is not None:
            self._process, self._opened = self._opened, None
            self.replacements = self.restarts
            for fault in self._process.faults:
                self._witness.refused(f"encoder: {fault}")
            self.rung = Rung.READY
            if self._hops == 0:
                self._take_over()
            return
        self.rung = Rung.WAITING
        if self._error is not None:
            self._pause()
            self._lose(str(self._error))
        else:
            self._budget.renew()
            self._next = self._clock() + LOOK_SECONDS
            if self._required:
                self._lose(f"the Edge TPU cannot be used ({self._absence}): the CPU takes its place")

    def _take_over(self) -> None:
        """Let the process that is ready do the work, with the states that the CPU has."""
        assert self._process is not None  # noqa: S101 - READY means that
        try:
            self._process.reset()
            for hop in self._past():
                self._process.step(hop)
        except AcceleratorError as error:
            self._fall(error)
            return
        self.rung = Rung.EDGETPU
        self._is_lost = False
        _LOG.info("the encoder runs on the Edge TPU, in process %d", self.pid)
        self._witness.accelerator_used(Accelerator.EDGETPU)

    def _fall(self, error: AcceleratorError) -> None:
        """Kill the process and give the CPU its states."""
        assert self._process is not None  # noqa: S101 - it has just failed
        self._process.close()
        self._ended, self._process = self._process, None
        self.rung = Rung.WAITING
        self.restarts += 1
        self._pause()
        self._cpu.reset()
        for hop in self._past():
            self._cpu.step(hop)
        self._lose(str(error))

    def _past(self) -> list[NDArray[np.float32]]:
        """Return the hops of this stretch that an encoder can still know of, oldest first."""
        size = len(self._history)
        return [self._history[hop % size] for hop in range(max(0, self._hops - size), self._hops)]

    def _pause(self) -> None:
        self._next = self._clock() + max(RETRY_SECONDS, self._budget.spend())

    def _lose(self, why: str) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._witness.accelerator_used(Accelerator.CPU)
            self._witness.accelerator_lost(why)
