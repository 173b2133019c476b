"""A file of fixed size whose room was taken while there was some: a full disk still lets it be overwritten."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from typing import TYPE_CHECKING, Final

from edgeasr.outbox.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST: Final = 256 << 10  # bytes; over a hundred finals, or the ids of thousands that the broker has
_SHARE: Final = 8  # of what is free at most one part in so many: the outbox itself needs room before
_BLOCK: Final = 4096
_STEP: Final = 16  # records begin at multiples of it, so that one behind a damaged one is found
_HEADER: Final = struct.Struct("<4sIII")  # kind, length, check, zero
_FINAL: Final = struct.Struct("<qdHH")  # seq, created, bytes of id and topic
_MARK: Final = b"EA"
_KEEP: Final = _MARK + b"F1"
_FORGET: Final = _MARK + b"A1"
_LONGEST: Final = 0xFFFF


class Reserve:
    """What the outbox's own file refused: finals to keep, and ids of finals to forget.

    Nothing here raises: where there is no such file, or no more room in it, False says so.
    """

    def __init__(self, outbox: Path) -> None:
        self._path = outbox.with_name(f"{outbox.name}.reserve")
        self._descriptor = -1
        self._size = self._used = 0

    def open(self) -> None:
        """Open or make the file, mode 0600; again where it was deleted."""
        self.close()
        with contextlib.suppress(OSError):
            self._descriptor = os.open(
                self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            os.fchmod(self._descriptor, 0o600)
            self._size = os.fstat(self._descriptor).st_size // _STEP * _STEP
            free = os.fstatvfs(self._descriptor)
            wanted = min(_MOST, free.f_bavail * free.f_frsize // _SHARE // _BLOCK * _BLOCK)
            if wanted > self._size:
                # Zeros that are written, not a length that is set, are what takes the room.
                os.pwrite(self._descriptor, bytes(wanted - self._size), self._size)
                os.fdatasync(self._descriptor)
                self._size = os.fstat(self._descriptor).st_size // _STEP * _STEP

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._size = -1, 0

    def read(self) -> tuple[list[Entry], set[str]]:
        """Return the finals kept in it, and all ids to forget, those of finals kept here among them."""
        finals: dict[str, Entry] = {}
        gone: set[str] = set()
        data = b""
        with contextlib.suppress(OSError):
            data = os.pread(self._descriptor, self._size, 0) if self._descriptor >= 0 else b""
        at = -1
        while (at := data.find(_MARK, at + 1)) >= 0:
            if at % _STEP or at + _HEADER.size > len(data):
                continue
            kind, length, check, _ = _HEADER.unpack_from(data, at)
            body = data[at + _HEADER.size : at + _HEADER.size + length]
            if kind not in (_KEEP, _FORGET) or len(body) != length or zlib.crc32(body) != check:
                continue
            self._used = at + _padded(_HEADER.size + length)
            at = self._used - 1
            if kind == _KEEP:
                entry = _entry(body)
                finals[entry.id] = entry
                gone.discard(entry.id)
            else:
                gone.add(body.decode())
        return [entry for entry in finals.values() if entry.id not in gone], gone

    def keep(self, entry: Entry) -> bool:
        """Keep a final; on return it is on the disk."""
        return self._append(_final_record(entry)) and self._sync()

    def forget(self, event_id: str) -> bool:
        """Note that the broker has a final; a power cut may lose that, which only means that it is sent once more."""
        return self._append(_record(_FORGET, event_id.encode()))

    def replace(self, entries: Iterable[Entry], gone: Iterable[str]) -> bool:
        """Hold these alone, as far as they fit, in one go."""
        records = [_record(_FORGET, one.encode()) for one in gone] + [_final_record(one) for one in entries]
        data = bytearray()
        is_all = True
        for record in records:
            if len(data) + len(record) > self._size:
                is_all = False
                break
            data += record
        self._used = len(data)
        return self._write(0, bytes(data) + bytes(self._size - len(data))) and self._sync() and is_all

    def clear(self) -> None:
        """Hold nothing any more."""
        if self._used and self._write(0, bytes(self._used)):
            self._used = 0

    def _append(self, record: bytes) -> bool:
        if self._used + len(record) > self._size or not self._write(self._used, record):
            return False
        self._used += len(record)
        return True

    def _write(self, at: int, data: bytes) -> bool:
        try:
            return self._descriptor >= 0 and os.pwrite(self._descriptor, data, at) == len(data)
        except OSError:
            return False

    def _sync(self) -> bool:
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            return False
        return True


def _padded(length: int) -> int:
    return -(-length // _STEP) * _STEP


def _record(kind: bytes, body: bytes) -> bytes:
    record = _HEADER.pack(kind, len(body), zlib.crc32(body), 0) + body
    return record.ljust(_padded(len(record)), b"\0")


def _final_record(entry: Entry) -> bytes:
    event_id, topic = entry.id.encode()[:_LONGEST], entry.topic.encode()[:_LONGEST]
    head = _FINAL.pack(entry.seq, entry.created, len(event_id), len(topic))
    return _record(_KEEP, head + event_id + topic + entry.payload)


def _entry(body: bytes) -> Entry:
    seq, created, id_length, topic_length = _FINAL.unpack_from(body)
    id_end = _FINAL.size + id_length
    end = id_end + topic_length
    return Entry(seq, body[_FINAL.size : id_end].decode(), body[id_end:end].decode(), body[end:], created)
