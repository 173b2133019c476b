"""Which format a file or stream has, by its first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

# Enough for the formats whose mark is a second header in the right place: the longest frames of MP3, most of AAC.
HEAD_BYTES: Final = 4_096

_TS_PACKET: Final = 188
_MOV_ATOMS: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


@dataclass(frozen=True, slots=True)
class _About:
    title: str
    article: str = "a"
    native: bool = True  # libsndfile reads it


class Container(Enum):
    """A format of audio files, by its usual name; `native`: read without ffmpeg."""

    WAV = _About("WAV")
    FLAC = _About("FLAC")
    OGG = _About("Ogg", "an")
    MP3 = _About("MP3", "an")
    AIFF = _About("AIFF", "an")
    AU = _About("AU", "an")
    CAF = _About("CAF")
    W64 = _About("W64")
    MP4 = _About("MP4", "an", native=False)
    MATROSKA = _About("WebM or Matroska", native=False)
    AAC = _About("AAC", "an", native=False)
    ASF = _About("WMA", native=False)
    AMR = _About("AMR", "an", native=False)
    AVI = _About("AVI", "an", native=False)
    FLV = _About("Flash video", native=False)
    MPEG_TS = _About("MPEG transport stream", "an", native=False)
    MPEG_PS = _About("MPEG program stream", "an", native=False)
    REAL = _About("RealMedia", native=False)
    APE = _About("Monkey's Audio", native=False)
    WAVPACK = _About("WavPack", native=False)
    TTA = _About("TTA", native=False)
    DSF = _About("DSF", native=False)

    @property
    def native(self) -> bool:
        """Whether it is read without ffmpeg."""
        return self.value.native

    def __str__(self) -> str:
        """With its article, as in a sentence."""
        return f"{self.value.article} {self.value.title} file"


_MAGIC: Final = {
    b"fLaC": Container.FLAC,
    b"OggS": Container.OGG,
    b".snd": Container.AU,
    b"dns.": Container.AU,
    b"caff": Container.CAF,
    b"riff\x2e\x91\xcf\x11": Container.W64,
    b"\x1a\x45\xdf\xa3": Container.MATROSKA,
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": Container.ASF,
    b"#!AMR": Container.AMR,
    b"FLV\x01": Container.FLV,
    b"\x00\x00\x01\xba": Container.MPEG_PS,
    b".RMF": Container.REAL,
    b"MAC ": Container.APE,
    b"wvpk": Container.WAVPACK,
    b"TTA1": Container.TTA,
    b"TTA2": Container.TTA,
    b"DSD \x1c": Container.DSF,
}


def recognise(head: bytes) -> Container | None:
    """Return the format of a file that begins so; None for anything else, raw PCM too.

    Needs HEAD_BYTES where the file has as many.
    """
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        # Of what begins so only two can hold speech; a header that ends here is a WAV's for want of another.
        return Container.AVI if head[8:12] == b"AVI " else Container.WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Container.AIFF
    by_magic = next((container for magic, container in _MAGIC.items() if head.startswith(magic)), None)
    if by_magic is not None:
        return by_magic
    if head[4:8] in _MOV_ATOMS and int.from_bytes(head[:4], "big") >= 8:
        return Container.MP4
    if len(head) > 2 * _TS_PACKET and head[0] == head[_TS_PACKET] == head[2 * _TS_PACKET] == 0x47:
        return Container.MPEG_TS
    return _mpeg_audio(head)


def after_id3(head: bytes) -> int:
    """Return how many bytes an ID3v2 tag at the beginning takes, 0 where there is none."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _mpeg_audio(head: bytes) -> Container | None:
    """Tell MP3 and AAC, which have no magic number but a header in each frame, from raw samples."""
    if head[:3] == b"ID3":
        return Container.AAC if _is_adts(head[after_id3(head) :]) else Container.MP3
    if _is_adts(head):
        return Container.AAC
    # One header can be chance in raw samples; a second in the right place is none.
    length = mpeg_frame_bytes(head)
    return Container.MP3 if length and mpeg_frame_bytes(head[length:]) else None


def _is_adts(head: bytes) -> bool:
    length = _adts_frame_bytes(head)
    return length > 0 and _adts_frame_bytes(head[length:]) > 0


def _adts_frame_bytes(head: bytes) -> int:
    """Return the length of the AAC frame whose header this is, 0 where it is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


_BITRATES: Final = {
    # kbit/s by (MPEG 1?, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def mpeg_frame_bytes(head: bytes) -> int:
    """Return the length of the MPEG audio frame whose header this is, 0 where it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate_index, bits_index = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bits_index in (0, 15):
        return 0
    rate = (44_100, 48_000, 32_000)[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _BITRATES[version == 3, layer][bits_index] * 1000
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    samples = 72 if layer == 3 and version != 3 else 144
    return samples * bits // rate + padding
