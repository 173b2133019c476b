"""A small disk for each test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from outbox_disk import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var/outbox.sqlite"
