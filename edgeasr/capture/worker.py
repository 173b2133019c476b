"""The process that captures: PortAudio's blocks into a pipe, as they come. `python -m edgeasr.capture.worker OPTIONS`.

Options (JSON): device, proc, leash, and as descriptors `audio` (raw blocks, interleaved int16), `report` (a line of
JSON that describes the stream, or the error) and `counters` (two 64-bit numbers in shared memory: overflow flags,
blocks that did not fit into the pipe); `tuning` as edgeasr.tuning takes it. Imports nothing large, such as numpy.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from edgeasr.capture.recorder import Recorder
from edgeasr.errors import EdgeasrError, SourceLostError
from edgeasr.tuning import Tuning, demote, name_thread, tune_process
from edgeasr.worker import hold_leash

COUNTERS_BYTES: Final = 16
_CHECK_SECONDS: Final = 0.25
_ATOMIC_BYTES: Final = 4096  # PIPE_BUF: a write of that size goes through whole or not at all


class _Outlet:
    """A pipe that is never waited for, and shared counters."""

    def __init__(self, pipe: int, counters: int) -> None:
        self._pipe = pipe
        os.set_blocking(pipe, False)
        self._memory = mmap.mmap(counters, COUNTERS_BYTES)
        self._counters = memoryview(self._memory).cast("Q")
        self.recorder: Recorder | None = None

    def write(self, data: bytes) -> None:
        """Pass a block on, whole frames only."""
        if self.recorder is not None:
            self._counters[0] = self.recorder.overflows
        frame = 2 * (self.recorder.channels if self.recorder else 1)
        step = _ATOMIC_BYTES // frame * frame
        for first in range(0, len(data), step):
            try:
                os.write(self._pipe, data[first : first + step])
            except BlockingIOError:
                self._counters[1] += 1


def main(text: str) -> int:
    """Capture until the stream or the parent ends."""
    options: dict[str, Any] = json.loads(text)
    hold_leash(options["leash"])
    name_thread("edgeasr-mic")
    report = options["report"]
    try:
        outlet = _Outlet(options["audio"], options["counters"])
        recorder = outlet.recorder = Recorder(options["device"], proc=Path(options["proc"]))
        recorder.start(outlet.write)
        faults = tune_process(Tuning(**options["tuning"]))
        stream = {"name": recorder.name, "rate": recorder.rate, "channels": recorder.channels}
        _tell(report, {**stream, "faults": faults})
        while True:
            time.sleep(_CHECK_SECONDS)
            recorder.check()
    except SourceLostError as error:
        _tell(report, {"lost": str(error)})
    except EdgeasrError as error:
        _tell(report, {"error": type(error).__name__, "message": str(error)})
    demote()
    # Not by return: a driver that hangs would not let the interpreter end.
    os._exit(1)


def _tell(report: int, line: dict[str, object]) -> None:
    os.write(report, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
