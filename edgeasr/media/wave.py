"""The header of a WAV file, and how much audio really follows it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from edgeasr.media.coding import Coding

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_FMT: Final = 4_096
_MOST_CHUNKS: Final = 1_000

# Who writes into a pipe, or is killed, leaves a guess as the length: sox 0x7FFFF000, arecord 0x80000000 less its
# header, ffmpeg 0xFFFFFFFF. No recording has such a length by chance.
_GUESSES: Final = ((0x7FFF_0000, 0x8001_0000), (0xFFFF_0000, 0x1_0000_0000))

# Chunks that stand behind the samples; what else stands there without being a chunk is more of them.
_TRAILERS: Final = frozenset(
    b"LIST,id3 ,ID3 ,bext,iXML,axml,_PMX,cue ,smpl,inst,fact,PEAK,JUNK,junk,FLLR,PAD ,afsp,DISP,levl,cart,acid,"
    b"plst,labl,note,umid,minf,elm1,regn,SAUR,TAG".split(b",")
)

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE

# What libsndfile decodes inside WAV: PCM, Microsoft's and IMA's ADPCM, float, A-law, μ-law, GSM 6.10, G.721, MP3.
NATIVE_TAGS: Final = frozenset({1, 2, 3, 6, 7, 0x11, 0x31, 0x40, 0x50, 0x55})

MPEG_TAGS: Final = frozenset({0x50, 0x55})


class WaveError(ValueError):
    """Not the header of a WAV file."""


class Extent(Enum):
    """How the promised length of the samples compares with what is there."""

    EXACT = "exact"
    GUESSED = "guessed"
    """The length was never filled in: all that follows are samples."""
    CUT = "cut"
    """There is less."""
    STALE = "stale"
    """There is more: the header was written before the end."""


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """What stands before the samples. `promised`: bytes of them, 0 where the header does not know."""

    form: bytes  # RIFF, RIFX, RF64 or BW64
    tag: int
    channels: int
    rate: int
    block: int  # bytes a frame takes
    bits: int
    fmt: bytes
    start: int  # place of the first sample
    promised: int

    @property
    def order(self) -> str:
        """Order of bytes, by the sign that struct has for it."""
        return ">" if self.form == b"RIFX" else "<"

    @property
    def coding(self) -> Coding | None:
        """How samples are written; None where that takes a decoder."""
        width, left = divmod(self.block, max(self.channels, 1))
        if left or not self.channels:
            return None
        if (self.tag, width) in ((_ALAW, 1), (_MULAW, 1)):
            return Coding.ALAW if self.tag == _ALAW else Coding.MULAW
        if (self.tag, width) == (_PCM, 1):
            return Coding.U8
        kind = {_PCM: "s", _FLOAT: "f"}.get(self.tag)
        end = "be" if self.order == ">" else "le"
        name = f"{kind}{8 * width}{end}"
        return Coding(name) if kind and name in Coding._value2member_map_ else None

    @property
    def is_guess(self) -> bool:
        """Whether the promised length is one that writers put who do not know it."""
        return self.promised == 0 or any(low <= self.promised < high for low, high in _GUESSES)


def read_header(read: Callable[[int], bytes], skip: Callable[[int], object]) -> WaveHeader:
    """Read up to the first sample. Raises WaveError, and what `read` and `skip` raise."""
    form = _exactly(read, 12)
    if form[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or form[8:] != b"WAVE":
        raise WaveError("no RIFF header")
    order = ">" if form[:4] == b"RIFX" else "<"
    place, fmt, long_size = 12, b"", 0
    for _ in range(_MOST_CHUNKS):
        name, size = struct.unpack(f"{order}4sI", _exactly(read, 8))
        place += 8
        if name == b"data":
            if size == 0xFFFF_FFFF and form[:4] in (b"RF64", b"BW64"):
                size = long_size
            return _header(form[:4], order, fmt, place, size)
        padded = size + (size & 1)
        if name == b"fmt " and 16 <= size <= _LONGEST_FMT:
            fmt = _exactly(read, padded)[:size]
        elif name == b"ds64" and 28 <= size <= _LONGEST_FMT:
            (long_size,) = struct.unpack_from("<Q", _exactly(read, padded), 8)
        else:
            skip(padded)
        place += padded
    raise WaveError("no samples among its chunks")


def measure(header: WaveHeader, size: int, at: Callable[[int, int], bytes]) -> tuple[Extent, int]:
    """Return how far the samples of a file of `size` bytes go, and how many bytes that is.

    `at(place, count)` reads from the file.
    """
    there = max(size - header.start, 0)
    promised = header.promised
    if promised > there + 1:
        # A recording of two or four gigabytes may have been cut; one that just happens to be as long as a guess, no.
        return (Extent.GUESSED if header.is_guess else Extent.CUT), there
    behind = there - promised - (promised & 1)
    if behind <= 0:
        return Extent.EXACT, promised
    if promised == 0:
        is_empty = _are_chunks(header, size, at, header.start)
        return (Extent.EXACT, 0) if is_empty else (Extent.GUESSED, there)
    if (there - promised) % (1 << 32) == 0:  # a field of 32 bits has wrapped
        return Extent.GUESSED, there
    second = max(header.rate, 1) * max(header.block, 1)
    if behind < second or _are_chunks(header, size, at, size - behind):
        return Extent.EXACT, promised
    return (Extent.GUESSED if header.is_guess else Extent.STALE), there


def rewritten(header: WaveHeader, count: int) -> bytes:
    """Return a header for so many bytes of the same samples."""
    order = header.order
    fmt = struct.pack(f"{order}4sI", b"fmt ", len(header.fmt)) + header.fmt + bytes(len(header.fmt) & 1)
    total = 4 + len(fmt) + 8 + count
    if total < 0xFFFF_0000:
        form = header.form if header.form == b"RIFX" else b"RIFF"
        return (
            struct.pack(f"{order}4sI4s", form, total, b"WAVE")
            + fmt
            + struct.pack(f"{order}4sI", b"data", count)
        )
    frames = count // max(header.block, 1)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, total + 36, count, frames, 0)
    return (
        struct.pack("<4sI4s", b"RF64", 0xFFFF_FFFF, b"WAVE")
        + sizes
        + fmt
        + struct.pack("<4sI", b"data", 0xFFFF_FFFF)
    )


def _header(form: bytes, order: str, fmt: bytes, start: int, size: int) -> WaveHeader:
    if len(fmt) < 16:
        raise WaveError("no description of its samples")
    tag, channels, rate, _, block, bits = struct.unpack_from(f"{order}HHIIHH", fmt)
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        (tag,) = struct.unpack_from(f"{order}H", fmt, 24)
    return WaveHeader(form, tag, channels, rate, block, bits, fmt, start, size)


def _are_chunks(header: WaveHeader, size: int, at: Callable[[int, int], bytes], place: int) -> bool:
    """Whether what stands there, up to the end, is a row of chunks or a tag, not samples."""
    for _ in range(_MOST_CHUNKS):
        if size - place < 8:
            return True
        head = at(place, 8)
        name, length = struct.unpack(f"{header.order}4sI", head)
        if name in _TRAILERS or name[:3] in (b"ID3", b"TAG", b"APE") or name in (b"RIFF", b"RF64"):
            return True
        if not any(head):
            return not any(at(place, min(size - place, 1 << 16)))
        if not all(0x20 <= sign < 0x7F for sign in name) or length > size - place - 8:
            return False
        place += 8 + length + (length & 1)
    return False


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = read(count - len(data))
        if not more:
            raise WaveError("its header is incomplete")
        data += more
    return data
