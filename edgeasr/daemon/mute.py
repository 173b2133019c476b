"""Whether the device is muted, kept over restarts in a small file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edgeasr.daemon.statefile import write_through
from edgeasr.safefile import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)

ON: Final = "ON"
OFF: Final = "OFF"
_FILE: Final = "mute"
_LONGEST: Final = 16


class MuteFile:
    """`mute` in a folder: ON or OFF, readable by its user only, replaced whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE

    def load(self) -> bool:
        """Return whether the device was muted; a file that cannot be understood counts as muted."""
        try:
            text = read_bytes(self.path, _LONGEST).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return False
        except OSError as error:
            text = error.strerror or "unreadable"
        if text not in {ON, OFF}:
            _LOG.warning(
                "%s does not say whether the device is muted (%s), so it is; send OFF to mute/set",
                self.path,
                ascii(text),
            )
        return text != OFF

    def save(self, *, muted: bool) -> str | None:
        """Write it through to the disk; return a sentence where that cannot be done."""
        try:
            write_through(self.path, f"{ON if muted else OFF}\n".encode())
        except OSError as error:
            return (
                f"{self.path} cannot be written ({error.strerror}), so a restart forgets that the device "
                f"was {'muted' if muted else 'unmuted'}; check the disk"
            )
        return None
