"""Whether the device is muted, kept over restarts in a small file."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Final

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
            with self.path.open("rb") as file:
                text = file.read(_LONGEST).decode("ascii", "replace").strip()
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
        new = self.path.with_name(f"{_FILE}.new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                os.write(descriptor, f"{ON if muted else OFF}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            new.replace(self.path)
            self._sync_folder()
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            return (
                f"{self.path} cannot be written ({error.strerror}), so a restart forgets that the device "
                f"was {'muted' if muted else 'unmuted'}; check the disk"
            )
        return None

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
