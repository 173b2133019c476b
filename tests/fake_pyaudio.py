"""A PyAudio that behaves, and misbehaves, as drivers do."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILT_IN = {
    "index": 0,
    "name": "bcm2835 Headphones: - (hw:0,0)",
    "maxInputChannels": 0,
    "defaultSampleRate": 44100.0,
}
USB = {
    "index": 1,
    "name": "USB PnP Sound Device: Audio (hw:1,0)",
    "maxInputChannels": 1,
    "defaultSampleRate": 44100.0,
}
ARRAY = {"index": 2, "name": "seeed-4mic: - (hw:3,0)", "maxInputChannels": 4, "defaultSampleRate": 48000.0}


class FakeStream:
    def __init__(self, module: FakePyAudio, rate: int, channels: int, callback: Any, frames: int) -> None:
        self.module, self.callback = module, callback
        self.rate, self.channels, self.frames = rate, channels, frames
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        position = 0
        while self.running and position < self.module.unplug_after * self.rate:
            times = np.arange(position, position + self.frames) / self.rate
            wave = np.rint(8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
            status = (
                2 if self.module.overflow_at and position // self.frames in self.module.overflow_at else 0
            )
            data = np.repeat(wave, self.channels).tobytes()
            answer = self.callback(data, self.frames, {}, status)
            assert answer == (None, 0)
            position += self.frames
            time.sleep(0.001)
        while self.module.stalls and self.running:
            time.sleep(0.01)
        self.running = False

    def is_active(self) -> bool:
        if not self.running and self.module.unplug_error:
            raise self.module.unplug_error
        return self.running

    def close(self) -> None:
        self.module.closes += 1
        self.running = False
        self.module.hang.wait(self.module.close_hangs)
        self.thread.join()


class FakePyAudio:
    """The module `pyaudio`: an instance of this."""

    paInt16, paInputOverflow, paContinue = 8, 2, 0  # noqa: N815

    def __init__(
        self,
        devices: Sequence[dict[str, Any]] = (BUILT_IN, USB, ARRAY),
        *,
        rates: tuple[int, ...] = (16_000,),
        **faults: Any,
    ) -> None:
        self.devices, self.rates = list(devices), rates
        self.unplug_after = faults.get("unplug_after", 1e9)  # seconds of audio
        self.unplug_error = faults.get("unplug_error")
        self.stalls = faults.get("stalls", False)
        self.overflow_at = faults.get("overflow_at", ())
        self.open_error = faults.get("open_error")
        self.open_hangs = faults.get("open_hangs", 0.0)
        self.close_hangs = faults.get("close_hangs", 0.0)
        self.fewest_channels = faults.get("fewest_channels", 1)
        self.hang = threading.Event()
        self.opens = self.closes = self.terminations = 0

    def PyAudio(self) -> FakePyAudio:  # noqa: N802
        return self

    def get_device_count(self) -> int:
        return len(self.devices)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return self.devices[index]

    def get_default_input_device_info(self) -> dict[str, Any]:
        inputs = [device for device in self.devices if device["maxInputChannels"]]
        if not inputs:
            raise OSError("No Default Input Device Available")
        return inputs[0]

    def is_format_supported(
        self, rate: int, *, input_device: int, input_channels: int, input_format: int
    ) -> bool:
        if rate not in self.rates or input_channels < self.fewest_channels:
            raise ValueError("Invalid sample rate", -9997)
        return True

    def open(
        self, *, rate: int, channels: int, stream_callback: Any, frames_per_buffer: int, **_rest: Any
    ) -> FakeStream:
        self.opens += 1
        self.hang.wait(self.open_hangs)
        if self.open_error:
            raise self.open_error
        return FakeStream(self, rate, channels, stream_callback, frames_per_buffer)

    def terminate(self) -> None:
        self.terminations += 1
