"""The process that captures: PortAudio's blocks into a pipe, as they come. `python -m edgeasr.capture.worker OPTIONS`.

Options (JSON): device, channel, proc, leash, and as descriptors `audio` (raw blocks, interleaved int16), `report` (a
line of JSON that describes the stream, or the error) and `counters` (memory that is shared, see timeline.py); `tuning`
as edgeasr.tuning takes it. Imports nothing large, such as numpy.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from edgeasr.capture.recorder import Recorder
from edgeasr.capture.timeline import BYTES, TimelineWriter, boottime
from edgeasr.errors import EdgeasrError, SourceLostError
from edgeasr.tuning import Tuning, demote, name_thread, tune_process
from edgeasr.worker import hold_leash

_CHECK_SECONDS: Final = 0.25
_PROBE_SECONDS: Final = 1.0  # in which the first of several channels is to carry a signal, else all are taken
_PROBE_STEP: Final = 0.01
_DITHER: Final = 2  # what PortAudio makes of one and the same value, where it converts sample formats
_ATOMIC_BYTES: Final = 4096  # PIPE_BUF: a write of that size goes through whole or not at all


class _Outlet:
    """A pipe that is never waited for, and the timeline of what goes through it."""

    def __init__(self, pipe: int, memory: mmap.mmap) -> None:
        self._pipe = pipe
        os.set_blocking(pipe, False)
        self._memory = memory
        self._timeline: TimelineWriter | None = None
        self._recorder: Recorder | None = None
        self._frame = 2
        self._probing = threading.Lock()
        self._is_held = self.is_probing = False

    def follow(self, recorder: Recorder, *, probe: bool) -> None:
        """Pass on what this recorder will deliver; with `probe`, from the first sign of a signal on."""
        self._recorder = recorder
        self._frame = 2 * recorder.channels
        self._timeline = TimelineWriter(self._memory, recorder.rate)
        self._is_held, self.is_probing = False, probe

    def hold(self) -> bool:
        """Pass nothing on until `follow`, if no signal was seen yet; whether that is so."""
        with self._probing:
            self._is_held = self.is_probing
        return self._is_held

    def write(self, data: bytes) -> None:
        """Pass a block on, whole frames only."""
        recorder, timeline = self._recorder, self._timeline
        if recorder is None or timeline is None:
            return
        if self.is_probing:
            with self._probing:
                values = memoryview(data).cast("h")
                if self._is_held or max(values) - min(values) <= _DITHER:
                    return
                self.is_probing = False
        timeline.overflowed(recorder.overflows)
        timeline.arrived(len(data) // self._frame, boottime())
        step = _ATOMIC_BYTES // self._frame * self._frame
        for first in range(0, len(data), step):
            piece = data[first : first + step]
            try:
                os.write(self._pipe, piece)
            except BlockingIOError:
                timeline.missed(len(piece) // self._frame)
            else:
                timeline.passed(len(piece) // self._frame)


def main(text: str) -> int:
    """Capture until the stream or the parent ends."""
    options: dict[str, Any] = json.loads(text)
    hold_leash(options["leash"])
    name_thread("edgeasr-mic")
    report = options["report"]
    try:
        outlet = _Outlet(options["audio"], mmap.mmap(options["counters"], BYTES))
        recorder = Recorder(options["device"], channel=options["channel"], proc=Path(options["proc"]))
        outlet.follow(recorder, probe=recorder.has_other_channels)
        recorder.start(outlet.write)
        _probe(outlet, recorder)
        faults = tune_process(Tuning(**options["tuning"]))
        stream = {
            "name": recorder.name,
            "rate": recorder.rate,
            "channels": recorder.channels,
            "heard": recorder.heard,
        }
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


def _probe(outlet: _Outlet, recorder: Recorder) -> None:
    """Take all channels where the first, which was taken alone, carries nothing."""
    deadline = time.monotonic() + _PROBE_SECONDS
    while outlet.is_probing and time.monotonic() < deadline:
        time.sleep(_PROBE_STEP)
    if outlet.hold():
        recorder.restart_with_all_channels(lambda: outlet.follow(recorder, probe=False))


def _tell(report: int, line: dict[str, object]) -> None:
    os.write(report, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
