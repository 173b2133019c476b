"""Disks and files under an outbox, for tests that break them."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from edgeasr import settings
from edgeasr.outbox import Outbox

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

TOPIC = "edgeasr/kitchen/transcript/final"


def database_of(outbox: Outbox) -> sqlite3.Connection:
    """Return the open file's connection."""
    store = outbox._backlog.store
    assert store is not None
    return store.database


def ids(outbox: Outbox) -> list[str]:
    """Return the ids of all that is pending, in order."""
    return [entry.id for entry in outbox.pending(limit=10**6)]


def fill_outbox(path: Path, names: list[str], size: int = 1000) -> None:
    """Let an earlier run have left these finals."""
    with Outbox(settings.Outbox(path=path)) as outbox:
        for name in names:
            outbox.put(name, TOPIC, f'{{"id": "{name}", "text": "{"x" * size}"}}'.encode())


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of its own, which can be filled."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(disk: Path, how: str) -> None:
    """Make a small disk read-only, or writable again."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def exhaust(disk: Path) -> None:
    """Leave no byte free."""
    with contextlib.suppress(OSError), (disk / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(512))


def relieve(disk: Path) -> None:
    """Give all of it back."""
    (disk / "ballast").unlink()
