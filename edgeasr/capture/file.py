"""Samples from a WAV, FLAC or Ogg file, in real time or as fast as they are wanted."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from edgeasr.capture.resampler import Resampler
from edgeasr.capture.source import SAMPLE_RATE
from edgeasr.errors import AudioFormatError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

BLOCK_FRAMES: Final = 8_192
UNKNOWN_FRAMES: Final = 1 << 62
MOST_FRUITLESS: Final = 3
LOWEST_RATE: Final = 4_000
MOST_CHANNELS: Final = 64
HOW_TO_CONVERT: Final = "convert it with `ffmpeg -i {name} -ar 16000 -ac 1 converted.wav`"

# Writers that stream into a pipe don't know the length and put one of these; the real length is the file's.
UNKNOWN_LENGTHS: Final = frozenset({0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_F000, 0xFFFF_F000})


class FileSource:
    """Audio file of any rate, width and number of channels as 16 kHz mono int16.

    With `realtime`, samples come no earlier than a microphone would deliver them. Raises AudioFormatError
    for what cannot be read. A file that is cut short is read as far as it goes, and a warning is logged.
    `start`: seconds that are passed over.
    """

    def __init__(self, path: Path, *, realtime: bool = False, start: float = 0.0) -> None:
        self.name = str(path)
        self._path = path
        self._realtime = realtime
        self._closed = threading.Event()
        self._decoding = threading.Lock()
        self._descriptor, self._file = _open(path)
        rate, channels, frames = self._file.samplerate, self._file.channels, self._file.frames
        try:
            _check(path, rate, channels, frames)
            _warn_if_cut(path)
            self._frames_read = self._skip(round(start * rate))
        except AudioFormatError:
            self.close()
            raise
        self.seconds = frames / rate if frames < UNKNOWN_FRAMES else None
        self._block: NDArray[np.float32] = np.zeros((BLOCK_FRAMES, channels), dtype=np.float32)
        self._resampler = Resampler(rate, channels, BLOCK_FRAMES)
        self._pending: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._ended = False
        self._fruitless = 0
        self._delivered = 0
        self._started: float | None = None

    @property
    def overflows(self) -> int:
        """Zero: a file waits for its reader."""
        return 0

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return the samples written, 0 at the end. Raises AudioFormatError where damaged."""
        if self._started is None:
            self._started = time.monotonic()
        done = 0
        while done < out.size and not self._closed.is_set():
            if self._pending.size == 0 and not self._refill():
                break
            count = min(self._pending.size, out.size - done)
            out[done : done + count] = self._pending[:count]
            self._pending = self._pending[count:]
            done += count
        self._delivered += done
        if self._realtime:
            self._closed.wait(max(0.0, self._started + self._delivered / SAMPLE_RATE - time.monotonic()))
        return done

    def close(self) -> None:
        """Close the file; a paced read in another thread returns at once."""
        self._closed.set()
        with self._decoding:
            if not self._file.closed:
                self._file.close()
                os.close(self._descriptor)

    def _skip(self, frames: int) -> int:
        if not frames:
            return 0
        try:
            return int(self._file.seek(min(frames, self._file.frames)))
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioFormatError(
                f"{self._path} cannot be read from its middle ({_reason(error)}): "
                f"{HOW_TO_CONVERT.format(name=self._path.name)}"
            ) from error

    def _refill(self) -> bool:
        while self._pending.size == 0 and not self._ended:
            with self._decoding:
                if self._file.closed:
                    return False
                block = self._decode()
            self._frames_read += len(block)
            self._ended = len(block) == 0
            self._pending = self._resampler.flush() if self._ended else self._resampler.push(block)
        return self._pending.size > 0

    def _decode(self) -> NDArray[np.float32]:
        try:
            block: NDArray[np.float32] = self._file.read(out=self._block)
        except (soundfile.SoundFileError, RuntimeError) as error:
            # libsndfile also stops at pages whose sample count is odd, as some Opus encoders write them, but
            # has filled the block up to there and goes on when asked again.
            decoded = min(max(self._file.tell() - self._frames_read, 0), BLOCK_FRAMES)
            self._fruitless = 0 if decoded else self._fruitless + 1
            if self._fruitless < MOST_FRUITLESS:
                return self._block[:decoded] if decoded else self._decode()
            second = self._frames_read / self._file.samplerate
            raise AudioFormatError(
                f"{self.name} is damaged after {second:.1f} s ({_reason(error)}): "
                f"{HOW_TO_CONVERT.format(name=self._path.name)}"
            ) from error
        self._fruitless = 0
        return block


def _open(path: Path) -> tuple[int, soundfile.SoundFile]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioFormatError(f"{path} is a directory: name the audio files in it, e.g. {path}/*.wav")
        if not stat.S_ISREG(mode):
            raise AudioFormatError(f"{path} is not a regular file: pipe raw PCM on standard input instead")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise AudioFormatError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise AudioFormatError(f"{path} may not be read by this user: try `chmod a+r {path}`") from error
    except (OSError, ValueError) as error:
        raise AudioFormatError(f"{path} cannot be opened ({_reason(error)}): check the path") from error
    try:
        return descriptor, _decoder(path, descriptor)
    except AudioFormatError:
        os.close(descriptor)
        raise


def _decoder(path: Path, descriptor: int) -> soundfile.SoundFile:
    if os.fstat(descriptor).st_size == 0:
        raise AudioFormatError(f"{path} is empty: record or export it again")
    # By descriptor, since soundfile judges a path by its suffix and asks for the rate of a `.raw`.
    try:
        return soundfile.SoundFile(descriptor, closefd=False)
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        raise AudioFormatError(
            f"{path} is not audio that can be read ({_reason(error)}): "
            f"{HOW_TO_CONVERT.format(name=path.name)}, or pipe headerless PCM on standard input"
        ) from error


def _check(path: Path, rate: int, channels: int, frames: int) -> None:
    if frames == 0:
        raise AudioFormatError(f"{path} holds no samples: record or export it again")
    if rate < LOWEST_RATE:
        raise AudioFormatError(f"{path} has {rate} samples a second, too few for speech: record at 16000")
    if channels > MOST_CHANNELS:
        raise AudioFormatError(f"{path} has {channels} channels: {HOW_TO_CONVERT.format(name=path.name)}")


def _warn_if_cut(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(8)
        size = os.fstat(file.fileno()).st_size
    promised = int.from_bytes(head[4:], "little")
    if head[:4] == b"RIFF" and promised not in UNKNOWN_LENGTHS and promised + 8 > size + 1:
        _LOG.warning(
            "%s is cut short: its header promises %d bytes and there are %d; reading what is there",
            path,
            promised + 8,
            size,
        )


def _reason(error: BaseException) -> str:
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return str(text).strip().rstrip(".").lower()
