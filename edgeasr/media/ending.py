"""Whether a file's end is missing, for formats that end without saying so to their decoder."""

from __future__ import annotations

import os
from typing import Final

from edgeasr.media.container import Container, after_id3, mpeg_frame_bytes

_TAIL: Final = 1 << 17  # two of the longest Ogg pages
_PAGE_HEADER: Final = 27
_LAST_PAGE: Final = 4
_FIRST_FRAME: Final = 1_500  # bytes within which an MP3's first frame tells the length of the rest


def missing_end(descriptor: int, container: Container | None, head: bytes) -> str | None:
    """Return what the end of a file lacks, as a part of a sentence; None where it lacks nothing one can see."""
    size = os.fstat(descriptor).st_size
    if container is Container.OGG:
        return _ogg(descriptor, size)
    if container is Container.AIFF:
        return _promise(int.from_bytes(head[4:8], "big") + 8, size)
    if container is Container.AU:
        order = "big" if head[:4] == b".snd" else "little"
        samples = int.from_bytes(head[8:12], order)  # type: ignore[arg-type]
        start = int.from_bytes(head[4:8], order)  # type: ignore[arg-type]
        return None if samples >= 0x7FFF_0000 else _promise(start + samples, size)
    if container is Container.W64:
        return _promise(int.from_bytes(head[16:24], "little"), size)
    if container is Container.MP3:
        return _mp3(descriptor, head, size)
    return None


def _promise(promised: int, size: int) -> str | None:
    # One byte of padding is often left out.
    return f"its header promises {promised} bytes and there are {size}" if promised > size + 1 else None


def _ogg(descriptor: int, size: int) -> str | None:
    begin = max(size - _TAIL, 0)
    tail = os.pread(descriptor, _TAIL, begin)
    place = len(tail)
    while (place := tail.rfind(b"OggS", 0, place)) >= 0:
        page = tail[place:]
        if len(page) >= _PAGE_HEADER and page[4] == 0:
            table = page[_PAGE_HEADER : _PAGE_HEADER + page[26]]
            is_whole = len(page) >= _PAGE_HEADER + page[26] + sum(table)
            if not is_whole:
                return "its last page is incomplete"
            return None if page[5] & _LAST_PAGE else "its last page is missing"
    return "its last page is missing"


def _mp3(descriptor: int, head: bytes, size: int) -> str | None:
    start = after_id3(head)
    frame = os.pread(descriptor, _FIRST_FRAME, start)
    if not mpeg_frame_bytes(frame):
        return None
    for mark in (b"Xing", b"Info"):
        place = frame.find(mark, 4, 200)
        if place < 0 or place + 16 > len(frame):
            continue
        flags = int.from_bytes(frame[place + 4 : place + 8], "big")
        if flags & 2:
            at = place + 8 + (4 if flags & 1 else 0)
            promised = int.from_bytes(frame[at : at + 4], "big")
            return _promise(start + promised, size) if promised else None
    return None
