"""The package and all it needs as wheels for the device: nothing may be left to a compiler."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tools.arm64.root import Root

_PLATFORMS: Final = tuple(f"manylinux_2_{minor}_aarch64" for minor in (36, 35, 34, 31, 28, 27, 26, 24, 17))
_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
_DOWNLOAD_SECONDS: Final = 1800.0
_INSTALL_SECONDS: Final = 3600.0
_VENV: Final = "/opt/edgeasr"
_SOURCES: Final = ("pyproject.toml", "README.md", "LICENSE", "edgeasr")
_EPOCH: Final = (
    "315532800"  # the time of all files in the wheel, so that the same source makes the same wheel
)


def gather(source: Path, folder: Path) -> Path:
    """Build the package's wheel from `source`, download what it needs into `folder`; return the package's."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("edgeasr-*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="edgeasr-wheel-") as name:
        # A copy: setuptools leaves its outputs in the source, and takes up what lies there from before.
        for part in _SOURCES:
            copy = shutil.copytree if (source / part).is_dir() else shutil.copyfile
            copy(source / part, Path(name) / part)
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), name)
    (own,) = folder.glob("edgeasr-*.whl")
    options = [word for name in _PLATFORMS for word in ("--platform", name)]
    options += [
        "--python-version",
        "3.11",
        "--implementation",
        "cp",
        *("--abi", "cp311", "--abi", "abi3", "--abi", "none"),
    ]
    _pip("download", "--only-binary", ":all:", *options, "--dest", str(folder), str(own))
    return own


def install(root: Root, folder: Path, own: Path) -> bool:
    """Install the package in the root from these wheels alone; False where they were there already."""
    stamp = folder / "installed"
    state = "\n".join(f"{_digest(path)} {path.name}" for path in sorted(folder.glob("*.whl")))
    state += f"\n{root.folder.stat().st_ino}\n"
    if stamp.is_file() and stamp.read_text() == state:
        return False
    root.put(folder, "/srv/wheels")
    root.run("python3", "-m", "venv", "--clear", "--system-site-packages", _VENV, timeout=_INSTALL_SECONDS)
    root.run(
        f"{_VENV}/bin/python",
        *_PIP,
        "install",
        *("--no-index", "--only-binary", ":all:", "--find-links", "/srv/wheels"),
        f"/srv/wheels/{own.name}",
        timeout=_INSTALL_SECONDS,
    )
    stamp.write_text(state)
    return True


def _pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, *_PIP, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_SECONDS,
        check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
    )
    if done.returncode:
        raise SystemExit(f"pip {words[0]} failed:\n{done.stderr.strip()}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
