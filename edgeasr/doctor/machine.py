"""What is examined: a file tree with /sys, /proc, /dev, /run and /etc, and the settings in force there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.doctor.identity import Identity, service_user, who_asks
from edgeasr.safefile import inside, read_bytes

if TYPE_CHECKING:
    from edgeasr.settings import Settings

HERE = Path("/")
_MOST = 1 << 16  # bytes of a file that are looked at


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as its files show it; `live` where it is the one that this process runs on."""

    root: Path
    settings: Settings
    live: bool

    @property
    def identity(self) -> Identity:
        """Whose rights count."""
        return service_user(self.root) or who_asks()

    def path(self, name: str | Path) -> Path:
        """Return where an absolute path lies under the root."""
        return self.root / str(name).lstrip("/")

    def reached(self, name: str | Path) -> Path:
        """Return where a path leads, links followed as the machine itself would; raises OSError for a ring of them."""
        return inside(self.root, self.path(name))

    def read(self, name: str | Path) -> str | None:
        """Return a file's text without spaces around it, None where there is no such file; raises OSError.

        Never waits, and reads nothing but regular files: the machine may be a card that somebody found.
        """
        try:
            data = read_bytes(self.reached(name), _MOST)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return data.decode("utf-8", "replace").strip().strip("\0")

    def number(self, name: str | Path, base: int = 10) -> int | None:
        """Return a file's whole number, None where the file is missing or holds anything else; raises OSError."""
        try:
            return int(self.read(name) or "", base)
        except ValueError:
            return None

    def shown(self, path: Path) -> str:
        """Return a path as the machine itself would name it."""
        return f"/{path.relative_to(self.root)}"
