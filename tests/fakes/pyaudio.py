"""A module `pyaudio` for processes, found through PYTHONPATH; what happens to it is written into a folder.

$FAKE_MICROPHONE names the folder. In it: `plugged` exists while the microphone does; `speech.raw` is what it hears,
over and over, from the beginning at each opening (16 kHz mono int16), else a tone; `stalls`: nothing is delivered any
more; `hangs`: opening never returns; `rates`: those that the device offers; `name`: what it calls itself. It delivers
at the speed of speech.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(os.environ["FAKE_MICROPHONE"])
paInt16, paInputOverflow, paContinue = 8, 2, 0  # noqa: N816


class _Stream:
    def __init__(self, rate: int, channels: int, frames: int, callback: Any) -> None:
        self.rate, self.channels, self.frames, self.callback = rate, channels, frames, callback
        self.running = True
        threading.Thread(target=self.run, daemon=True).start()

    def samples(self) -> np.ndarray:
        speech = FOLDER / "speech.raw"
        if speech.exists():
            return np.fromfile(speech, dtype=np.int16)
        return np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(self.rate) / self.rate)).astype(np.int16)

    def run(self) -> None:
        samples, position, began = self.samples(), 0, time.monotonic()
        while self.running and (FOLDER / "plugged").exists():
            if not (FOLDER / "stalls").exists():
                block = np.take(samples, np.arange(position, position + self.frames), mode="wrap")
                self.callback(np.repeat(block, self.channels).tobytes(), self.frames, {}, 0)
            position += self.frames
            time.sleep(max(0.0, began + position / self.rate - time.monotonic()))
        self.running = False

    def is_active(self) -> bool:
        return self.running

    def close(self) -> None:
        self.running = False


class PyAudio:
    def __init__(self) -> None:
        self.there = (FOLDER / "plugged").exists()  # as PortAudio, it never learns of later ones

    def get_device_count(self) -> int:
        return int(self.there)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        own = FOLDER / "name"
        name = own.read_bytes().decode("utf-8", "surrogatepass") if own.exists() else "USB Fake: -"
        return {
            "index": 0,
            "name": f"{name} (hw:1,0)",
            "maxInputChannels": 2,
            "defaultSampleRate": 48000.0,
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        if not self.there:
            raise OSError("No Default Input Device Available")
        return self.get_device_info_by_index(0)

    def is_format_supported(self, rate: int, *, input_channels: int, **_rest: Any) -> bool:
        offers = FOLDER / "rates"
        rates = [int(word) for word in offers.read_text().split()] if offers.exists() else [16000]
        if rate not in rates:
            raise ValueError("Invalid sample rate", -9997)
        return True

    def open(
        self, *, rate: int, channels: int, frames_per_buffer: int, stream_callback: Any, **_rest: Any
    ) -> _Stream:
        while (FOLDER / "hangs").exists():
            time.sleep(0.05)
        return _Stream(rate, channels, frames_per_buffer, stream_callback)

    def terminate(self) -> None: ...
