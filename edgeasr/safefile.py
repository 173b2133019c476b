"""Reading files that somebody else may have put there, such as those of a card in `doctor --root`."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

_MOST: Final = 1 << 20  # bytes; the largest file that is read so is a group list
_MOST_LINKS: Final = 40  # as the kernel follows


class IrregularFileError(OSError):
    """A pipe, device or socket stands where a file should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "it is no regular file", str(path))


def read_bytes(path: Path, most: int = _MOST) -> bytes:
    """Return the beginning of a regular file, `most` bytes; raises OSError, and never waits for a writer.

    A device is not even opened, since that alone may do something.
    """
    _check(path, path.stat().st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor).st_mode)  # it may have changed since
        return file.read(most)


def _check(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise IrregularFileError(path)


def read_text(path: Path, most: int = _MOST) -> str:
    """Return the beginning of a regular file as text, with a sign of its own for what is no UTF-8; as above."""
    return read_bytes(path, most).decode("utf-8", "replace")


def inside(root: Path, path: Path) -> Path:
    """Return where a path below `root` leads on the machine that `root` is of: links stay inside.

    As for chroot(2), a link that begins with a slash begins at `root`, and no `..` leads out of it. What is
    not there is returned as it would be named.
    """
    if root == Path("/"):
        return path
    left = list(reversed(path.relative_to(root).parts))
    reached: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part == "..":
            del reached[-1:]
            continue
        here = root.joinpath(*reached, part)
        try:
            target = str(here.readlink())
        except OSError:
            reached.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        if target.startswith("/"):
            reached.clear()
        left += reversed([step for step in target.split("/") if step not in ("", ".")])
    return root.joinpath(*reached)
