"""A file that is written beside its place and put there once it is whole."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from io import TextIOWrapper

_NAME_CHARACTERS: Final = 48  # of the name, so that the longest ones have room for what is added
_OPEN_FILES: Final = (("/", "dev"), ("/", "proc"))  # /dev/fd/3: a file that somebody else has opened
_NEW_FILE: Final = 0o666  # less the umask


class OutputFile:
    """Text for a path. Until `commit`, what stood there stays; devices and pipes are written to at once.

    Raises OSError, also from the constructor, so that a folder nobody may write to is known before the work.
    """

    def __init__(self, path: Path) -> None:
        self._target = Path(os.path.realpath(path))  # a link stays one, and points to the new file
        self._part: Path | None = None
        is_device = self._target.exists() and not self._target.is_file()
        if is_device or path.absolute().parts[:2] in _OPEN_FILES:
            self._file: TextIOWrapper = path.open("w", encoding="utf-8", errors="backslashreplace")
            return
        prefix = f".{self._target.name[:_NAME_CHARACTERS]}."
        descriptor, part = tempfile.mkstemp(dir=self._target.parent, prefix=prefix, suffix=".part")
        self._part = Path(part)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")

    @property
    def replaces(self) -> bool:
        """Whether a file with something in it stands in that place."""
        return self._part is not None and self._target.is_file() and self._target.stat().st_size > 0

    def write(self, text: str) -> None:
        """Add text, which is on its way to the disk on return."""
        self._file.write(text)
        self._file.flush()

    def commit(self, *, keep: bool = False) -> Path | None:
        """Put the file in its place; `keep`: what stood there gets a name with `~`, which is returned."""
        kept = None
        try:
            if self._part is not None:
                os.fsync(self._file.fileno())
                os.fchmod(self._file.fileno(), self._mode())
            self._file.close()
            if self._part is not None:
                if keep and self.replaces:
                    kept = self._free_name()
                    self._target.rename(kept)
                self._part.replace(self._target)
                self._part = None
        finally:
            self.discard()
        return kept

    def discard(self) -> None:
        """Leave everything as it was; harmless after `commit`."""
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        if self._part is not None:
            with contextlib.suppress(OSError):
                self._part.unlink()
            self._part = None

    def _free_name(self) -> Path:
        """Return where what stands there is kept: `name~`, else `name.~2~` and so on."""
        name, number = f"{self._target.name}~", 1
        while (path := self._target.with_name(name)).exists():
            number += 1
            name = f"{self._target.name}.~{number}~"
        return path

    def _mode(self) -> int:
        with contextlib.suppress(OSError):
            return stat.S_IMODE(self._target.stat().st_mode)
        umask = os.umask(0)
        os.umask(umask)
        return _NEW_FILE & ~umask
