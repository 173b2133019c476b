"""WAV, FLAC, Ogg, MP3 and their like, through libsndfile."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from edgeasr.errors import AudioFormatError
from edgeasr.media.decoder import BLOCK_FRAMES
from edgeasr.media.native import hushed
from edgeasr.media.scale import full_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.media.overlay import Overlay

UNKNOWN_FRAMES: Final = 1 << 62
_MOST_FRUITLESS: Final = 3
_FLOATS: Final = ("FLOAT", "DOUBLE")
_PROBES: Final = 32  # places at which a float file is looked at for its scale
_LEAST_MISSING: Final = 0.25  # seconds; decoders differ in what they count at the ends
_ERRORS = (soundfile.SoundFileError, RuntimeError)


class SndfileDecoder:
    """A decoder over libsndfile; owns the descriptor.

    `may_be_mp3`: libmpg123 may have a hand in it. `overlay`: what to read instead of the descriptor. `shortfall`: what
    is known to be missing.
    """

    def __init__(
        self,
        name: str,
        descriptor: int,
        *,
        may_be_mp3: bool,
        overlay: Overlay | None = None,
        shortfall: str | None = None,
    ) -> None:
        self.name, self._descriptor = name, descriptor
        self._hush = hushed if may_be_mp3 else contextlib.nullcontext
        self._shortfall = shortfall
        with self._hush():
            self._file = self._open(overlay)
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.frames = self._file.frames if 0 <= self._file.frames < UNKNOWN_FRAMES else None
        self._frames_read = 0
        self._fruitless = 0
        self._scale: np.float32 | None = None
        self.full_scale = 1.0

    @property
    def shortfall(self) -> str | None:
        """Why audio is missing."""
        return self._shortfall

    def find_scale(self) -> float:
        """Return the full scale of a file of floating-point numbers, and divide by it from now on."""
        if self._file.subtype not in _FLOATS or not self.frames:
            return 1.0
        count = BLOCK_FRAMES // 2
        places = sorted({at * max(self.frames - count, 0) // _PROBES for at in range(_PROBES + 1)})
        try:
            pieces = []
            for place in places:
                self._file.seek(place)
                pieces.append(self._file.read(count, dtype="float32", always_2d=True))
            self._file.seek(self._frames_read)
        except _ERRORS:
            return 1.0  # what cannot be read there is told where it is reached
        self.full_scale = full_scale(np.concatenate(pieces))
        if self.full_scale != 1.0:
            self._scale = np.float32(1.0 / self.full_scale)
        return self.full_scale

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill `out`; return the frames written."""
        with self._hush():
            count = self._decode(out)
        self._frames_read += count
        if count and self._scale is not None:
            with np.errstate(all="ignore"):  # whatever is no number stays none, and counts as silence later
                np.multiply(out[:count], self._scale, out=out[:count])
        if count == 0 and self.frames is not None and self._shortfall is None:
            missing = (self.frames - self._frames_read) / self.rate
            if missing > _LEAST_MISSING:
                self._shortfall = f"the last {missing:.1f} s of {self.frames / self.rate:.1f} s are missing"
        return count

    def skip(self, frames: int) -> int:
        """Pass over frames."""
        try:
            self._frames_read = int(self._file.seek(min(frames, self._file.frames)))
        except _ERRORS as error:
            raise AudioFormatError(
                f"{self.name} cannot be read from its middle ({reason(error)}): {how_to_convert(self.name)}"
            ) from error
        return self._frames_read

    def interrupt(self) -> None:
        """Do nothing: a file lets nobody wait."""

    def close(self) -> None:
        """Close the file and the descriptor."""
        if not self._file.closed:
            with self._hush():
                self._file.close()
            os.close(self._descriptor)

    def _is_at_end(self) -> bool:
        """Whether a decoder that is never satisfied has read all there is of a file that promises more."""
        if not self._frames_read or self.frames is None or self.frames <= self._frames_read:
            return False
        return os.lseek(self._descriptor, 0, os.SEEK_CUR) >= os.fstat(self._descriptor).st_size

    @property
    def _place(self) -> str:
        """How far it was read, as a part of a sentence."""
        done = f"{self._frames_read / self.rate:.1f} s"
        return f"{done} of {self.frames / self.rate:.1f} s" if self.frames else done

    def _open(self, overlay: Overlay | None) -> soundfile.SoundFile:
        # By descriptor, since soundfile judges a path by its suffix and asks for the rate of a `.raw`.
        try:
            return soundfile.SoundFile(overlay or self._descriptor, closefd=False)
        except (*_ERRORS, TypeError, ValueError) as error:
            raise AudioFormatError(
                f"{self.name} is not audio that can be read ({reason(error)}): "
                f"{how_to_convert(self.name)}, or pipe headerless PCM on standard input"
            ) from error

    def _decode(self, out: NDArray[np.float32]) -> int:
        while True:
            try:
                count: int = len(self._file.read(out=out))
            except _ERRORS as error:
                # libsndfile also stops at pages whose sample count is odd, as some Opus encoders write them, but
                # has filled the block up to there and goes on when asked again.
                decoded: int = min(max(self._file.tell() - self._frames_read, 0), len(out))
                self._fruitless = 0 if decoded else self._fruitless + 1
                if decoded:
                    return decoded
                if self._is_at_end():
                    return 0  # what is missing shows by the number of frames
                if self._fruitless < _MOST_FRUITLESS:
                    continue
                raise AudioFormatError(
                    f"{self.name} is damaged after {self._place} ({reason(error)}): "
                    f"{how_to_convert(self.name)}"
                ) from error
            self._fruitless = 0
            return count


def reason(error: BaseException) -> str:
    """Return what a library or the system says about an error, as a part of a sentence."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return str(text).strip().rstrip(".").lower() or "it cannot be decoded"


def how_to_convert(name: str) -> str:
    """Return the mend for a file that only other programs read."""
    short = "-" if name == "standard input" else shlex.quote(Path(name).name)
    return f"convert it with `ffmpeg -i {short} -ar 16000 -ac 1 converted.wav`"
