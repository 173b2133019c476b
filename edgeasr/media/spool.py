"""A whole file from a stream, for formats that are read here and there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import IO, TYPE_CHECKING, Final

from edgeasr.errors import AudioFormatError, SourceLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.media.container import Container
    from edgeasr.media.stream import ByteStream

_BLOCK: Final = 1 << 18
_CHECK_BYTES: Final = 1 << 24
_LEAST_FREE: Final = 64 << 20  # bytes that are left to others


@contextlib.contextmanager
def spooled(stream: ByteStream, container: Container) -> Iterator[tuple[str, SourceLostError | None]]:
    """Give the path of a temporary file with all that the stream brings, and what ended it early.

    The file has no name in any folder and so goes with the process. Raises AudioFormatError where it finds no room,
    SourceLostError where nothing came at all.
    """
    with _temporary() as file:
        error, done, checked = None, 0, 0
        try:
            while piece := stream.read(_BLOCK):
                file.write(piece)
                done += len(piece)
                if done - checked >= _CHECK_BYTES:
                    checked = done
                    free = os.statvfs(file.fileno())
                    if free.f_bavail * free.f_frsize < _LEAST_FREE:
                        raise _no_room(container, f"{_LEAST_FREE >> 20} MB are left to others")
            file.flush()
        except SourceLostError as lost:
            if not done:
                raise
            error = lost
            file.flush()
        except OSError as problem:
            raise _no_room(container, str(problem.strerror)) from None
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}", error


def _temporary() -> IO[bytes]:
    # /tmp is memory on many systems, /var/tmp is a disk.
    folder = os.environ.get("TMPDIR") or ("/var/tmp" if os.access("/var/tmp", os.W_OK) else None)  # noqa: S108
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise AudioFormatError(
            f"no temporary file for standard input can be made ({error.strerror}): set TMPDIR to a folder with room"
        ) from None


def _no_room(container: Container, why: str) -> AudioFormatError:
    return AudioFormatError(
        f"standard input carries {container}, which does not fit into a temporary file ({why}): name the file as an "
        "argument, or set TMPDIR to a folder with room"
    )
