"""From a path to the decoder that reads it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from edgeasr.errors import AudioFormatError
from edgeasr.media.container import HEAD_BYTES, Container, recognise
from edgeasr.media.ending import missing_end
from edgeasr.media.ffmpeg import FfmpegDecoder
from edgeasr.media.overlay import Overlay
from edgeasr.media.sndfile import SndfileDecoder, reason
from edgeasr.media.wave import (
    MPEG_TAGS,
    NATIVE_TAGS,
    Extent,
    WaveError,
    WaveHeader,
    measure,
    read_header,
    rewritten,
)
from edgeasr.printable import quoted

if TYPE_CHECKING:
    from pathlib import Path

    from edgeasr.media.decoder import Decoder

# Kinds of Ogg that libsndfile reads; Speex, Theora's and others take ffmpeg.
_OGG_CODECS: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC")


def open_file(path: Path, *, start: float = 0.0, name: str | None = None) -> tuple[Decoder, list[str]]:
    """Open a regular file with the decoder it takes, `start` seconds from its beginning.

    Returns remarks too, parts of sentences about the file. `name`: what messages call it. Raises AudioFormatError.
    """
    descriptor, name = _open(path), name or str(path)
    try:
        _refuse_empty(name, descriptor)
        head = _head(name, descriptor)
        container = recognise(head)
        header = _wave_header(descriptor) if container is Container.WAV else None
        if container and not _is_native(container, head, header):
            decoder: Decoder = FfmpegDecoder(name, str(path), container, start=start)
            os.close(descriptor)
            return decoder, []
        native, remarks = _native(name, descriptor, head, container, header)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        if start:
            native.skip(round(start * native.rate))
        scale = native.find_scale()
        if scale != 1.0:
            remarks.append(scale_remark(scale))
    except BaseException:
        native.close()
        raise
    return native, remarks


def scale_remark(scale: float) -> str:
    """Return what to say of floating-point samples that are integers by their size."""
    return f"has floating-point samples of up to {scale:.0f} instead of 1; they were divided by that"


def _native(
    name: str, descriptor: int, head: bytes, container: Container | None, header: WaveHeader | None
) -> tuple[SndfileDecoder, list[str]]:
    remarks: list[str] = []
    if header is None:
        missing = missing_end(descriptor, container, head)
        may_be_mp3 = container in (Container.MP3, None)
        return SndfileDecoder(name, descriptor, may_be_mp3=may_be_mp3, shortfall=missing), remarks
    extent, count = measure(
        header, os.fstat(descriptor).st_size, lambda place, length: os.pread(descriptor, length, place)
    )
    shortfall: str | None = None
    overlay: Overlay | None = None
    if extent is Extent.CUT:
        promised, there = header.start + header.promised, header.start + count
        shortfall = f"its header promises {promised} bytes and there are {there}"
    elif extent is Extent.STALE:
        remarks.append(
            f"goes on for {count - header.promised} bytes behind what its header tells of; they are read too"
        )
    if extent is not Extent.EXACT:
        overlay = Overlay(descriptor, rewritten(header, count), header.start, count)
    may_be_mp3 = header.tag in MPEG_TAGS
    decoder = SndfileDecoder(name, descriptor, may_be_mp3=may_be_mp3, overlay=overlay, shortfall=shortfall)
    return decoder, remarks


def _is_native(container: Container, head: bytes, header: WaveHeader | None) -> bool:
    if container is Container.WAV:
        return header is None or header.tag in NATIVE_TAGS
    if container is Container.OGG:
        return any(codec in head for codec in _OGG_CODECS)
    return container.native


def _wave_header(descriptor: int) -> WaveHeader | None:
    """Read it; None where there is none, which libsndfile may judge."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        return read_header(
            lambda count: os.read(descriptor, count),
            lambda count: os.lseek(descriptor, count, os.SEEK_CUR),
        )
    except (WaveError, OSError):
        return None
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


def _refuse_empty(name: str, descriptor: int) -> None:
    if os.fstat(descriptor).st_size == 0:
        raise AudioFormatError(f"{name} is empty: record or export it again")


def _head(name: str, descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, HEAD_BYTES, 0)
    except OSError as error:
        raise AudioFormatError(
            f"{name} cannot be read ({reason(error)}): check the disk it lies on"
        ) from error


def _open(path: Path) -> int:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioFormatError(f"{path} is a directory: name the audio files in it, e.g. {path}/*.wav")
        if not stat.S_ISREG(mode):
            raise AudioFormatError(
                f"{path} is not a regular file: pipe what it brings on standard input instead"
            )
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise AudioFormatError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise AudioFormatError(
            f"{path} may not be read by this user: try `chmod a+r {quoted(path)}`"
        ) from error
    except (OSError, ValueError) as error:
        raise AudioFormatError(f"{path} cannot be opened ({reason(error)}): check the path") from error
