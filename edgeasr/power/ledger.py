"""What the power room remembers over restarts: lifetime energy, energy since the charge, what it learnt.

One small file of JSON with a check sum, replaced as a whole; the one before is kept beside it. Where a power cut has
damaged the file, the older one counts.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_VERSION: Final = 1
_LONGEST: Final = 4096
_MOST_WH: Final = 1e9


@dataclass(frozen=True, slots=True)
class Ledger:
    """Watt-hours and ohms; None where nothing was learnt yet."""

    lifetime_wh: float = 0.0
    since_charge_wh: float = 0.0
    capacity_wh: float | None = None
    resistance: float | None = None


class LedgerFile:
    """The file; `load` never raises, `save` returns what went wrong."""

    def __init__(self, path: Path) -> None:
        self._path, self._old = path, path.with_name(path.name + ".old")

    def load(self) -> tuple[Ledger, str | None]:
        """Return what is remembered, and a sentence where a damaged file was met."""
        fault = None
        for path in (self._path, self._old):
            try:
                with path.open("rb") as file:
                    data = file.read(_LONGEST)
            except FileNotFoundError:
                continue
            except OSError as error:
                fault = fault or f"{path} cannot be read ({error.strerror}): make it readable for the service"
                continue
            found = _decode(data)
            if found is not None:
                return found, fault
            fault = fault or f"{path} is damaged, as by a power cut: the energy counted before may be too low"
        return Ledger(), fault

    def save(self, ledger: Ledger) -> str | None:
        """Replace the file; return a sentence where that is not possible."""
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, _encode(ledger))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if self._path.exists():
                self._path.replace(self._old)
            fresh.replace(self._path)
        except OSError as error:
            return f"{self._path} cannot be written ({error.strerror}): the energy since the last write would be lost"
        return None


def _encode(ledger: Ledger) -> bytes:
    text = json.dumps({"v": _VERSION, **asdict(ledger)}).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _decode(data: bytes) -> Ledger | None:
    """Return what was written; None where a check fails or a value cannot be."""
    check, _, text = data.rstrip(b"\n").partition(b" ")
    try:
        if int(check, 16) != zlib.crc32(text):
            return None
        values = json.loads(text)
        if values.pop("v") != _VERSION:
            return None
        ledger = Ledger(**values)
        numbers = [ledger.lifetime_wh, ledger.since_charge_wh]
        numbers += [value for value in (ledger.capacity_wh, ledger.resistance) if value is not None]
        return ledger if all(0.0 <= float(value) < _MOST_WH for value in numbers) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
