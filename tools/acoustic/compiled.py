"""A library of our own source, compiled when it is first used."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUILD_SECONDS = 300


def compiled(command: Sequence[str], sources: Sequence[Path]) -> ctypes.CDLL:
    """Load what the command makes of the first source, compiled once for each version of all of them.

    The command gets `-o`, the library and that source appended; UsageError with the compiler's words where it fails.
    """
    parts = [" ".join(command).encode(), *(path.read_bytes() for path in sources)]
    name = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"edgeasr-{sources[0].stem}-{name}.so"
    if not library.exists():
        partial = library.with_suffix(f".{id(library)}.partial")
        whole = [*command, "-o", str(partial), str(sources[0])]
        done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)
        if done.returncode:
            raise UsageError(
                f"{command[0]} could not compile {sources[0].name}: {done.stderr.strip()[-400:]}"
            )
        partial.replace(library)
    return ctypes.CDLL(str(library))
