"""Fetches the wheels that the project needs on Debian Bookworm, to run and to be built: `wheels.py PYPROJECT FOLDER`.

With any Python's pip.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

# Those of Bookworm's Python and its C library.
PYTHON = "3.11"
GLIBC_MINOR = 36
PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, GLIBC_MINOR + 1)),
    *(f"manylinux{name}_x86_64" for name in ("1", "2010", "2014")),
]


def main(pyproject: str, folder: str) -> int:
    """Fetch them, none as source: nothing but the project itself is compiled on a device. Returns pip's exit code."""
    project = tomllib.loads(Path(pyproject).read_text())
    needed = project["build-system"]["requires"] + project["project"]["dependencies"]
    how = ["--only-binary=:all:", f"--python-version={PYTHON}", *(f"--platform={name}" for name in PLATFORMS)]
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar=off"]
    return subprocess.call([*pip, *how, f"--dest={folder}", *needed])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
