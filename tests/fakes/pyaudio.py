"""A module `pyaudio` for processes, found through PYTHONPATH; what happens to it is written into a folder.

$FAKE_MICROPHONE names the folder. In it: `plugged` exists while the microphone does; `speech.raw` is what it hears,
over and over, from the beginning at each opening (16 kHz mono int16), else a tone; `began` is written when it begins
to, in Unix seconds; `stalls`: nothing is delivered any more; `hangs`: opening never returns; `delivers`: zeros,
constant or noise take the place of sound; `rates`, `channels`: those that the device offers ("converted": any, through
ALSA's converters); `layout`: what is on each of its channels (sound, inverted, zeros, faint), else sound; `name`: what
it calls itself. It delivers at the speed of speech. As a card does, it forgets what nobody fetches for a fifth of a
second, and raises the overflow flag then. `complains`: it writes pages to standard error with each block.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import clocks
import numpy as np

clocks.settle()
FOLDER = Path(os.environ["FAKE_MICROPHONE"])
BUFFER_SECONDS = 0.2
GAINS = {"sound": 1.0, "inverted": -1.0, "zeros": 0.0, "faint": 0.01}
paInt16, paInputOverflow, paContinue = 8, 2, 0  # noqa: N816


def told(name: str, default: list[str]) -> list[str]:
    try:
        return (FOLDER / name).read_text().split()
    except FileNotFoundError:
        return default


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
        (FOLDER / "began").write_text(repr(time.time() - clocks.offsets()[0]))
        layout = told("layout", ["sound"] * self.channels)
        gains = np.array([GAINS[layout[n % len(layout)]] for n in range(self.channels)])
        random = np.random.default_rng(1)
        while self.running and (FOLDER / "plugged").exists():
            late = time.monotonic() - began - (position + self.frames) / self.rate
            flags = 0
            if late > BUFFER_SECONDS:
                position += round(late * self.rate) // self.frames * self.frames
                flags = paInputOverflow
            if (FOLDER / "complains").exists():
                with contextlib.suppress(BlockingIOError):  # as C's own functions do
                    os.write(2, b"ALSA lib pcm.c: overrun\n" * 400)
            if not (FOLDER / "stalls").exists():
                delivers = told("delivers", ["sound"])[0]
                if delivers == "sound":
                    block = np.take(samples, np.arange(position, position + self.frames), mode="wrap")
                elif delivers == "noise":
                    block = random.choice([-32768, 32767], self.frames)
                else:
                    block = np.full(self.frames, {"zeros": 0, "constant": -777}[delivers])
                frames = np.rint(block[:, None] * gains).clip(-32768, 32767).astype(np.int16)
                self.callback(frames.tobytes(), self.frames, {}, flags)
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
            "maxInputChannels": max(int(count) for count in told("channels", ["1", "2"])),
            "defaultSampleRate": 48000.0,
        }

    def get_default_input_device_info(self) -> dict[str, Any]:
        if not self.there:
            raise OSError("No Default Input Device Available")
        return self.get_device_info_by_index(0)

    def is_format_supported(self, rate: int, *, input_channels: int, **_rest: Any) -> bool:
        offered = told("rates", ["16000"])
        is_offered = str(rate) in offered or (
            "converted" in offered and os.environ.get("PA_ALSA_PLUGHW") == "1"
        )
        if not is_offered or str(input_channels) not in told("channels", ["1", "2"]):
            raise ValueError("Invalid sample rate", -9997)
        return True

    def open(
        self, *, rate: int, channels: int, frames_per_buffer: int, stream_callback: Any, **_rest: Any
    ) -> _Stream:
        while (FOLDER / "hangs").exists():
            time.sleep(0.05)
        return _Stream(rate, channels, frames_per_buffer, stream_callback)

    def terminate(self) -> None: ...
