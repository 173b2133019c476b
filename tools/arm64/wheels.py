"""What the package needs, as wheels for the device, and its own wheel, the only one that is built there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tools.arm64.root import Root

_PLATFORMS: Final = tuple(f"manylinux_2_{minor}_aarch64" for minor in (36, 35, 34, 31, 28, 27, 26, 24, 17))
_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
_DOWNLOAD_SECONDS: Final = 1800.0
_SECONDS: Final = 3600.0  # for what pip does in the root
_VENV: Final = "/opt/edgeasr"
_WHEELS: Final = "/srv/wheels"
_NO_INDEX: Final = ("--no-index", "--only-binary", ":all:", "--find-links", _WHEELS)
_SOURCE: Final = "/srv/edgeasr"
_OWN: Final = "/srv/own"
_PARTS: Final = ("pyproject.toml", "README.md", "LICENSE", "edgeasr")
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.so")


def gather(source: Path, folder: Path) -> None:
    """Download into `folder` what the package in `source` needs, to run and to be built."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("edgeasr-*.whl"):
        old.unlink()
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    options = ["--python-version", "3.11", "--implementation", "cp"]
    abis = ["--abi", "cp311", "--abi", "abi3", "--abi", "none"]
    where = ["--only-binary", ":all:", "--dest", str(folder)]
    building, running = _needed(source)
    # One after the other: what builds the package need not agree with what it runs on.
    for names in (building, running):
        _pip("download", *where, *platforms, *options, *abis, *names)


def install(root: Root, source: Path, folder: Path) -> bool:
    """Build the package in the root and install it, all else from wheels; False where that was done already."""
    wheels = sorted(folder.glob("*.whl"))
    is_new = _once(root, folder / "others", wheels, lambda: _install_all(root, source, folder))
    with tempfile.TemporaryDirectory(prefix="edgeasr-source-") as name:
        # A copy: setuptools leaves its outputs in the source, and takes up what lies there from before.
        copy = Path(name) / "edgeasr"
        copy.mkdir()
        for part in _PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, copy / part, ignore=_LEFT_OUT)
            else:
                shutil.copyfile(source / part, copy / part)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        return _once(root, folder / "own", files, lambda: _install_own(root, copy)) or is_new


def _needed(source: Path) -> tuple[list[str], list[str]]:
    """Names of what the package needs to be built, and to run."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    return project["build-system"]["requires"], project["project"]["dependencies"]


def _once(root: Root, stamp: Path, files: Iterable[Path], work: Callable[[], None]) -> bool:
    """Do the work unless it was done with the same files in the same root; whether it was done."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in files]
    state = "\n".join([*lines, str(root.folder.stat().st_ino), ""])
    if stamp.is_file() and stamp.read_text() == state:
        return False
    stamp.unlink(missing_ok=True)
    work()
    stamp.write_text(state)
    return True


def _install_all(root: Root, source: Path, folder: Path) -> None:
    root.put(folder, _WHEELS)
    root.run("python3", "-m", "venv", "--clear", "--system-site-packages", _VENV, timeout=_SECONDS)
    _in_venv(root, "install", *_NO_INDEX, "--no-compile", *_needed(source)[1])
    (folder / "own").unlink(missing_ok=True)


def _install_own(root: Root, copy: Path) -> None:
    root.put(copy, _SOURCE)
    root.run("rm", "-rf", _OWN, timeout=_SECONDS)
    _in_venv(root, "wheel", *_NO_INDEX, "--no-deps", "--wheel-dir", _OWN, _SOURCE, compiler=True)
    # From the folder, so that its name need not be known here: there is one for this processor, or none.
    own = ("--no-index", "--only-binary", ":all:", "--find-links", _OWN)
    _in_venv(root, "install", *own, "--no-compile", "--force-reinstall", "--no-deps", "edgeasr")


def _in_venv(root: Root, *words: str, compiler: bool = False) -> None:
    root.run(f"{_VENV}/bin/python", *_PIP, *words, timeout=_SECONDS, compiler=compiler)


def _pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, *_PIP, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"pip {words[0]} failed:\n{done.stderr.strip()}")
