"""Samples from a microphone whose PortAudio runs in a process of its own, which can hang or crash and be replaced."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import mmap
import os
import select
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from edgeasr import errors
from edgeasr.capture.devices import PROC
from edgeasr.capture.pcm import PcmSource
from edgeasr.capture.source import AUTO, SAMPLE_RATE
from edgeasr.capture.timeline import BYTES, TimelineReader
from edgeasr.errors import EdgeasrError, SourceLostError
from edgeasr.tuning import Tuning
from edgeasr.worker import Child

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

MODULE: Final = "edgeasr.capture.worker"

# Two calls into PortAudio of 5 s each, and Python's start on the slowest board under load.
OPEN_SECONDS: Final = 20.0
# 5 s of 48 kHz stereo; the kernel allows no more unasked, and takes memory as it fills.
_PIPE_BYTES: Final = 1 << 20
_REPORT_BYTES: Final = 4096


class MicrophoneProcess:
    """Microphone as 16 kHz mono int16, captured by a child process; what it delivers is resampled here.

    A child that ends is noticed at once, one that hangs after `timeout` seconds of nothing: `read` then raises
    SourceLostError, and a new source takes a new child. Opening raises what MicrophoneSource raises, and
    SourceLostError where the child gives no answer. `tuning` is where and how the child runs.
    """

    def __init__(  # noqa: PLR0913
        self,
        device: str | int | None = None,
        *,
        channel: str = AUTO,
        timeout: float = 3.0,
        proc: Path = PROC,
        tuning: Tuning | None = None,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self.gaps = 0
        self.captured_at: float | None = None
        self.name = "the microphone" if device is None else f'the microphone "{device}"'
        self._timeout = timeout
        self._closed = False
        self._child: Child | None = None
        self._text = b""
        self._faults: list[str] = []
        try:
            self._open_descriptors()
            self._start(device, channel, proc, tuning or Tuning())
            header = self._header(time.monotonic() + open_seconds)
            self.name = str(header["name"])
            self.rate, self.channels = int(header["rate"]), int(header["channels"])
            self._pcm = PcmSource(
                self._audio,
                rate=self.rate,
                channels=self.channels,
                timeout=timeout,
                channel=header["heard"],
                bare=True,
            )
        except BaseException as error:
            self.close()
            self._release()
            if isinstance(error, OSError):
                raise SourceLostError(
                    f"no process can be started that captures {self.name} ({error.strerror}): free some descriptors or "
                    "memory; it is tried again"
                ) from error
            raise
        _LOG.info("%s is captured by process %d", self.name, self.pid)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid if self._child else 0

    @property
    def overflows(self) -> int:
        """Overflow flags that PortAudio has raised so far, and gaps for which this process was too slow."""
        return self._timeline.overflows + self._timeline.refusals

    @property
    def lost(self) -> int:
        """Samples at 16 kHz for which there was no room, since this process was too slow."""
        return self._timeline.lost * SAMPLE_RATE // self.rate

    def take_faults(self) -> list[str]:
        """Return what the kernel refused to the child, once."""
        self._read_reports()
        faults, self._faults = self._faults, []
        return faults

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return its size, or fewer after `close`. Raises SourceLostError (see the class)."""
        if self._closed:
            return 0
        if self._child is not None:
            self._child.relay()
        try:
            count = self._pcm.read(out)
        except SourceLostError:
            raise SourceLostError(
                f"{self.name} has delivered nothing for {self._timeout:g} s: check its cable"
            ) from None
        if count < out.size and not self._closed:
            raise self._loss()
        position = self._pcm.position
        self.gaps += self._timeline.pass_gaps(position)
        self.captured_at = self._timeline.captured_at(position, self.rate)
        return count

    def close(self) -> None:
        """Kill the child, which nothing that its driver does can prevent; a read in another thread ends soon after."""
        if self._closed:
            return
        self._closed = True
        if hasattr(self, "_pcm"):
            self._pcm.close()
        if self._child is not None:
            self._child.kill()
            if not self._child.reap():
                _LOG.warning("process %d of %s is stuck in its driver", self.pid, self.name)

    def __del__(self) -> None:  # noqa: D105
        # Not in `close`: a read in another thread may still look at them.
        self._release()

    def _open_descriptors(self) -> None:
        self._audio, self._audio_in = os.pipe()
        self._report, self._report_in = os.pipe()
        self._shared = os.memfd_create("edgeasr-counters")
        os.set_blocking(self._report, False)
        with contextlib.suppress(OSError):  # a bigger pipe bridges more, no more
            fcntl.fcntl(self._audio, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.ftruncate(self._shared, BYTES)
        self._timeline = TimelineReader(mmap.mmap(self._shared, BYTES))

    def _start(self, device: str | int | None, channel: str, proc: Path, tuning: Tuning) -> None:
        options = {
            "device": device,
            "channel": channel,
            "proc": str(proc),
            "tuning": asdict(tuning),
            "audio": self._audio_in,
            "report": self._report_in,
            "counters": self._shared,
        }
        self._child = Child(MODULE, options, (self._audio_in, self._report_in, self._shared))
        for name in ("_audio_in", "_report_in"):
            os.close(getattr(self, name))
            setattr(self, name, -1)

    def _header(self, deadline: float) -> dict[str, Any]:
        """Wait for the child's first line."""
        poll = select.poll()
        poll.register(self._report, select.POLLIN)
        while True:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000.0):
                raise SourceLostError(f"the driver of {self.name} has not answered: plug it in again")
            answer = self._read_reports()
            if answer is not None:
                return answer
            if self._child is not None and self._child.reap(0.0 if self._child.is_alive else 1.0):
                raise self._loss()

    def _read_reports(self) -> dict[str, Any] | None:
        """Take what the child has told; returns its description of the stream, raises its error."""
        try:
            while data := os.read(self._report, _REPORT_BYTES):
                self._text += data
        except BlockingIOError:
            pass
        *lines, self._text = self._text.split(b"\n")
        header = None
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            if "error" in told:
                kind = getattr(errors, told["error"], EdgeasrError)
                raise kind(told["message"])
            if "lost" in told:
                raise SourceLostError(told["lost"])
            self._faults += told.get("faults", ())
            header = told if "name" in told else header
        return header

    def _loss(self) -> SourceLostError:
        """Say why the child delivers no more."""
        try:
            self._read_reports()
        except EdgeasrError as error:
            return SourceLostError(str(error))
        assert self._child is not None  # noqa: S101 - it has delivered
        self._child.reap()
        return SourceLostError(
            f"the process that captures {self.name} is gone ({self._child.last_words()}): another one takes its place"
        )

    def _release(self) -> None:
        for name in ("_audio", "_audio_in", "_report", "_report_in", "_shared"):
            descriptor = getattr(self, name, -1)
            if descriptor >= 0:
                setattr(self, name, -1)
                os.close(descriptor)
