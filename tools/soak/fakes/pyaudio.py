"""A module `pyaudio` whose microphone stands in a room where somebody speaks, whether it listens or not.

$SOAK_ROOM names a folder. In it: `speech.raw` (16 kHz mono int16) is what is said, over and over, since the monotonic
time in `began`; `plugged` exists while the microphone does; `stalls`: the driver delivers nothing more. What was
delivered is written to `heard/`: a file a stretch, two doubles, the monotonic times of its first and last sample, in
shared memory, so that they are right whatever ends this process. A reader that is too late loses audio, as with a sound
card, and is told.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from pathlib import Path
from typing import Any

ROOM = Path(os.environ["SOAK_ROOM"])
RATE, WIDTH = 16_000, 2
BUFFER_SECONDS = 0.5  # what a sound card keeps for a reader that is late
paInt16, paInputOverflow, paContinue = 8, 2, 0  # noqa: N816
_stretches = 0


class _Stretch:
    """A time in which all audio was delivered."""

    def __init__(self, begin: float) -> None:
        global _stretches  # noqa: PLW0603 - a name of its own for each of this process
        _stretches += 1
        path = ROOM / "heard" / f"{os.getpid()}-{_stretches}"
        path.write_bytes(bytes(16))
        with path.open("r+b") as file:
            self._times = memoryview(mmap.mmap(file.fileno(), 16)).cast("d")
        self._times[0] = self._times[1] = begin

    def reached(self, at: float) -> None:
        self._times[1] = at


class _Stream:
    def __init__(self, frames: int, callback: Any) -> None:
        self._frames, self._callback = frames, callback
        self.running = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        began = float((ROOM / "began").read_text())
        with (
            (ROOM / "speech.raw").open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as speech,
        ):
            self._play(speech, began)
        self.running = False

    def _play(self, speech: mmap.mmap, began: float) -> None:
        size, block = len(speech), self._frames * WIDTH
        first = int((time.monotonic() - began) * RATE)
        stretch: _Stretch | None = None
        flag = 0
        while self.running and (ROOM / "plugged").exists():
            due = began + (first + self._frames) / RATE
            late = time.monotonic() - due
            if late > BUFFER_SECONDS:
                first = int((time.monotonic() - began) * RATE)
                stretch, flag = None, paInputOverflow
                continue
            time.sleep(max(0.0, -late))
            if (ROOM / "stalls").exists():
                first, stretch = first + self._frames, None
                continue
            place = first * WIDTH % size
            data = speech[place : place + block]
            if len(data) < block:
                data += speech[: block - len(data)]
            stretch = stretch or _Stretch(began + first / RATE)
            self._callback(data, self._frames, {}, flag)
            stretch.reached(due)
            first, flag = first + self._frames, 0

    def is_active(self) -> bool:
        return self.running

    def close(self) -> None:
        self.running = False


class PyAudio:
    def __init__(self) -> None:
        self._is_there = (ROOM / "plugged").exists()  # as PortAudio, it never learns of later ones

    def get_device_count(self) -> int:
        return int(self._is_there)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "name": "USB Soak: - (hw:1,0)",
            "maxInputChannels": 1,
            "defaultSampleRate": float(RATE),
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        if not self._is_there:
            raise OSError("No Default Input Device Available")
        return self.get_device_info_by_index(0)

    def is_format_supported(self, rate: int, *, input_channels: int, **_rest: Any) -> bool:
        if rate != RATE or input_channels != 1:
            raise ValueError("Invalid sample rate", -9997)
        return True

    def open(self, *, frames_per_buffer: int, stream_callback: Any, **_rest: Any) -> _Stream:
        return _Stream(frames_per_buffer, stream_callback)

    def terminate(self) -> None: ...
