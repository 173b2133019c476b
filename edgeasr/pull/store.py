"""A folder of bundles: one pull at a time, and a new bundle in place from one moment to the next."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from edgeasr.bundle import SUMS_FILE
from edgeasr.errors import BundleError
from edgeasr.pull.disk import failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK: Final = ".pull.lock"
_STAGING: Final = ".pull-"
_DIGITS: Final = 12
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


class Store:
    """Bundles as `name`, a link to `.name@checksum`; the one before stays, since a daemon may still have it open."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._folder = folder.resolve()
        except OSError as error:
            raise failed(folder, error) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who pulls into this folder meanwhile; BundleError where somebody does."""
        path = self._folder / _LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise failed(path, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(f"another pull into {self._folder} is under way; wait for its end") from None
        else:
            yield
        finally:
            os.close(descriptor)

    def staging(self, source: str) -> Path:
        """Return the folder in which a source's files are gathered, with what an earlier pull has left there."""
        key = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
        path = self._folder / f"{_STAGING}{key}"
        try:
            for other in self._folder.glob(f"{_STAGING}*"):
                if other != path and other.is_dir():
                    shutil.rmtree(other)
            path.mkdir(mode=0o755, exist_ok=True)
            path.chmod(0o755)
        except OSError as error:
            raise failed(path, error) from None
        return path

    def put(self, staging: Path, name: str) -> Path:
        """Make the gathered files the bundle `name`; return its folder. The one before it stays beside it, hidden."""
        checksum = hashlib.sha256((staging / SUMS_FILE).read_bytes()).hexdigest()[:_DIGITS]
        target, link, before = self._folder / f".{name}@{checksum}", self._folder / name, self.current(name)
        try:
            if target.is_dir() and target != before:
                shutil.rmtree(target)
            if target != before:
                staging.rename(target)
                _sync(target)
                self._point(link, target)
                _sync(self._folder)
            else:
                shutil.rmtree(staging)
            self._forget(name, target, before)
        except OSError as error:
            raise failed(link, error) from None
        return link

    def current(self, name: str) -> Path | None:
        """Return the real folder of the bundle `name`, None where there is none."""
        link = self._folder / name
        return link.resolve() if link.exists() else None

    def _point(self, link: Path, target: Path) -> None:
        fresh = self._folder / f"{_STAGING}link"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target.name)
        if link.is_dir() and not link.is_symlink():  # copied there by hand
            old = self._folder / f".{link.name}@before"
            if old.exists():
                shutil.rmtree(old)
            if _exchange(fresh, link):
                fresh.rename(old)
                return
            link.rename(old)
        fresh.replace(link)

    def _forget(self, name: str, *kept: Path | None) -> None:
        for path in self._folder.glob(f".{name}@*"):
            if path not in kept and not (path.name.endswith("@before") and kept[-1] == self._folder / name):
                shutil.rmtree(path, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names at once; False where the file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    done: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return done == 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
