"""Whatever is piped into a command: raw PCM, WAV as it comes, or a whole file of another format."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture.decoded import DecodedSource
from edgeasr.capture.file import FileSource
from edgeasr.capture.pcm import refuse_terminal, standard_input
from edgeasr.errors import AudioFormatError, SourceLostError
from edgeasr.media import (
    HEAD_BYTES,
    ByteStream,
    Coding,
    Container,
    Likeness,
    StreamDecoder,
    WaveError,
    read_header,
    recognise,
    spooled,
)
from edgeasr.media.likeness import WINDOW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_NAME: Final = "standard input"
_KEPT_SECONDS: Final = 15.0
_LOUD: Final = 300  # of 32768: where speech may have begun


class RawSource(DecodedSource):
    """Raw PCM, signed 16 bit, little-endian; its beginning is looked at and kept.

    Raises AudioFormatError where it plainly is something else.
    """

    def __init__(self, stream: ByteStream, rate: int, channels: int) -> None:
        self._likeness, self._channels = Likeness(channels), channels
        self.rate = rate
        self._kept = bytearray()
        self._room = round(_KEPT_SECONDS * rate) * channels * Coding.S16LE.width
        head = stream.peek(WINDOW_BYTES)
        self._judge(head, last=len(head) < WINDOW_BYTES)
        self._judged = len(head)
        super().__init__(_NAME, StreamDecoder(stream, Coding.S16LE, rate, channels, look=self._look))

    @property
    def beginning(self) -> NDArray[np.int16]:
        """The first seconds from where something is heard: int16[n] at `rate`, the first channel."""
        samples = np.frombuffer(bytes(self._kept), dtype="<i2")
        return samples[:: self._channels].astype(np.int16)

    def _look(self, data: bytes) -> None:
        if len(self._kept) < self._room and (self._kept or self._is_loud(data)):
            self._kept += data[: self._room - len(self._kept)]
        if self._judged:  # before the source was opened
            self._judged = max(self._judged - len(data), 0)
        else:
            self._judge(data, last=False)

    def _judge(self, data: bytes, *, last: bool) -> None:
        looks = self._likeness.look(data, last=last)
        if looks:
            raise AudioFormatError(f"{_NAME} {looks}")

    @staticmethod
    def _is_loud(data: bytes) -> bool:
        samples = np.frombuffer(data, dtype="<i2")
        return bool(samples.size and (samples.max() > _LOUD or samples.min() < -_LOUD))


class _SpooledSource(FileSource):
    """A file that came through a pipe; where it broke off, that is told rather than what the decoder makes of it."""

    def __init__(self, path: str, lost: SourceLostError | None) -> None:
        self._lost = lost
        super().__init__(Path(path), name=_NAME)

    def read(self, out: NDArray[np.int16]) -> int:
        try:
            done = super().read(out)
        except AudioFormatError:
            if self._lost is not None:
                raise self._lost from None
            raise
        if not done and self._lost is not None and not self._is_closed():
            raise self._lost
        return done


@contextlib.contextmanager
def open_standard_input(
    rate: int, channels: int = 1, *, timeout: float = 10.0, descriptor: int | None = None
) -> Iterator[DecodedSource]:
    """Open standard input, which is neither rewound nor closed.

    `rate` and `channels` hold for raw PCM. Raises UsageError where it is a terminal, AudioFormatError where it cannot
    be read or is no PCM, SourceLostError where nothing arrives.
    """
    descriptor = standard_input() if descriptor is None else descriptor
    refuse_terminal(descriptor)
    stream = ByteStream(descriptor, _NAME, timeout)
    container = recognise(stream.peek(HEAD_BYTES))
    with contextlib.ExitStack() as stack:
        stack.callback(stream.close)
        if container is None:
            yield RawSource(stream, rate, channels)
            return
        source = _wave(stream) if container is Container.WAV else None
        if source is None:
            source = _SpooledSource(*stack.enter_context(spooled(stream, container)))
            stack.callback(source.close)
        yield source


def _wave(stream: ByteStream) -> DecodedSource | None:
    """Read a WAV file's samples as they come; None, with all still to be read, where that takes the whole file."""
    seen: list[bytes] = []

    def read(count: int) -> bytes:
        seen.append(stream.read(count))
        return seen[-1]

    def skip(count: int) -> None:
        while count > 0 and (piece := read(count)):
            count -= len(piece)

    try:
        header = read_header(read, skip)
    except WaveError:
        header = None
    if header is None or header.coding is None or not header.rate:
        stream.unread(b"".join(seen))
        return None
    size = None if header.is_guess else header.promised
    return DecodedSource(_NAME, StreamDecoder(stream, header.coding, header.rate, header.channels, size=size))
