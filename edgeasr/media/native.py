"""What native libraries write on standard error by themselves."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# libmpg123's lines: each names a source file of its own, or is one of its notes.
_CHATTER: Final = re.compile(rb"^(\[[^\]\n]*mpg123[^\]\n]*\]|Note: |Warning: |warning: |error: |.*mpg123)")
_STANDARD_ERROR: Final = 2
_LOCK = threading.Lock()


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep libmpg123's lines off standard error meanwhile; what else is written there comes out afterwards."""
    with _LOCK:
        try:
            kept = os.dup(_STANDARD_ERROR)
            catch = os.memfd_create("stderr", os.MFD_CLOEXEC)
        except (OSError, AttributeError):  # closed, or no more descriptors: then it has to be loud
            yield
            return
        try:
            os.dup2(catch, _STANDARD_ERROR)
            try:
                yield
            finally:
                os.dup2(kept, _STANDARD_ERROR)
                _pass_on(catch)
        finally:
            os.close(catch)
            os.close(kept)


def _pass_on(catch: int) -> None:
    size = os.fstat(catch).st_size
    if not size:
        return
    lines = os.pread(catch, size, 0).splitlines(keepends=True)
    rest = b"".join(line for line in lines if not _CHATTER.match(line) and line.strip())
    if rest:
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, rest)
