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
    from collections.abc import Callable, Iterable

    from tools.arm64.root import Root

_PLATFORMS: Final = tuple(f"manylinux_2_{minor}_aarch64" for minor in (36, 35, 34, 31, 28, 27, 26, 24, 17))
_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
_DOWNLOAD_SECONDS: Final = 1800.0
_INSTALL_SECONDS: Final = 3600.0
_VENV: Final = "/opt/edgeasr"
_WHEELS: Final = "/srv/wheels"
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
    others = [path for path in sorted(folder.glob("*.whl")) if path != own]
    is_new = _once(root, folder / "others", others, lambda: _install_all(root, folder))
    return _once(root, folder / "own", [own], lambda: _install_own(root, own)) or is_new


def _once(root: Root, stamp: Path, wheels: Iterable[Path], work: Callable[[], None]) -> bool:
    """Do the work unless it was done with the same wheels in the same root; whether it was done."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in wheels]
    state = "\n".join([*lines, str(root.folder.stat().st_ino), ""])
    if stamp.is_file() and stamp.read_text() == state:
        return False
    work()
    stamp.write_text(state)
    return True


def _install_all(root: Root, folder: Path) -> None:
    root.put(folder, _WHEELS)
    root.run("python3", "-m", "venv", "--clear", "--system-site-packages", _VENV, timeout=_INSTALL_SECONDS)
    _install_from(root, "edgeasr")


def _install_own(root: Root, own: Path) -> None:
    root.put(own, f"{_WHEELS}/{own.name}")
    _install_from(root, "--force-reinstall", "--no-deps", f"{_WHEELS}/{own.name}")


def _install_from(root: Root, *words: str) -> None:
    # Compiled when they are first imported: emulated, that takes longer than all the rest.
    options = ("--no-compile", "--no-index", "--only-binary", ":all:", "--find-links", _WHEELS)
    root.run(f"{_VENV}/bin/python", *_PIP, "install", *options, *words, timeout=_INSTALL_SECONDS)


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
