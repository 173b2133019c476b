"""Machines made of files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from edgeasr import settings
from edgeasr.doctor import Check, Finding, Level, Machine, examine

if TYPE_CHECKING:
    from pathlib import Path

    from edgeasr.doctor import Area

STRANGER = 64999  # a user id that is nobody's here
PASSWD = f"root:x:0:0::/root:/bin/sh\nedgeasr:x:{STRANGER}:{STRANGER}::/var/lib/edgeasr:/usr/sbin/nologin\n"


@dataclass
class FakeMachine:
    """A root folder to fill, and what the checks say of it."""

    root: Path

    def write(self, name: str, text: str = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def fifo(self, name: str) -> None:
        """Make a file whose reading never ends."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    def machine(self, *, live: bool = False, **values: Any) -> Machine:
        dotted = {name.replace("__", "."): value for name, value in values.items()}
        loaded = settings.load(root=self.root, files=[], environ={}, values=dotted)
        return Machine(self.root, loaded.settings, live=live)

    def findings(
        self, area: Area, *, seconds: float = 30.0, live: bool = False, **values: Any
    ) -> list[Finding]:
        check = Check(area, f"edgeasr.doctor.{area.name.lower()}", seconds)
        return examine(self.machine(live=live, **values), [check])

    def finding(self, area: Area, **how: Any) -> Finding:
        """Return the one finding that there is."""
        found = self.findings(area, **how)
        assert len(found) == 1, found
        return found[0]

    def worst(self, area: Area, **how: Any) -> Finding:
        order = list(Level)
        return max(self.findings(area, **how), key=lambda finding: order.index(finding.level))


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    root = tmp_path / "root"
    root.mkdir()
    return FakeMachine(root)
