"""Results as JSON, as a table, and beside those of another run."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeasr import __version__
from edgeasr.bench.measures import ABSENT, MEASURES
from edgeasr.bench.result import Result
from edgeasr.bench.table import table
from edgeasr.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 1
SPHINX: Final = "pocketsphinx"
_LIBRARIES: Final = ("numpy", "ai-edge-litert", "pocketsphinx")


@dataclass(frozen=True, slots=True)
class Report:
    """Results of one run, and the machine and recordings that they hold for."""

    results: tuple[Result, ...]
    machine: Mapping[str, Any] = field(default_factory=dict)
    material: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of `bench.json`."""
        values = {
            "format": FORMAT,
            "machine": self.machine,
            "material": self.material,
            "results": [result.to_json() for result in self.results],
        }
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a `bench.json`; raises UsageError."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            results = tuple(Result.from_json(result) for result in values["results"])
            return cls(results, values["machine"], values["material"])
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read ({error.strerror}); name an earlier bench.json"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f"{path} is not a result of `edgeasr bench`; name an earlier bench.json"
            ) from None

    def to_markdown(self) -> str:
        """Return the table: a measure a row, a configuration a column, ✓ or ✗ where there is a budget."""
        head = ["", "budget", *(result.name for result in self.results)]
        rows = [
            [
                measure.label,
                measure.shown_budget,
                *(measure.shown(result, judged=result.name != SPHINX) for result in self.results),
            ]
            for measure in MEASURES
            if any(measure.value(result) is not None for result in self.results)
        ]
        return f"{self._caption()}\n\n{table(head, rows)}"

    def _caption(self) -> str:
        machine, material = self.machine, self.material
        words = f", {material['words']} words of reference" if material.get("words") else ""
        return (
            f"{material.get('minutes', 0):.1f} min in {material.get('clips', 0)} recordings{words}; "
            f"{machine.get('processor', 'unknown processor')}, {machine.get('cores', '?')} cores, "
            f"load {machine.get('load', '?')}; edgeasr {machine.get('edgeasr', '?')}."
        )


def compare(old: Report, new: Report) -> str:
    """Return a table of ratios, new over old, for the configurations that both have.

    Raises UsageError where there are none.
    """
    before = {result.name: result for result in old.results}
    shared = [result for result in new.results if result.name in before]
    if not shared:
        raise UsageError(
            f"the two runs share no configuration (old: {', '.join(before) or 'none'}); "
            "measure one of these again with --config"
        )
    rows = []
    for measure in MEASURES:
        cells = [_ratio(measure.value(before[result.name]), measure.value(result)) for result in shared]
        if any(cells):
            rows.append([measure.label, *(cell or ABSENT for cell in cells)])
    return table(["new / old", *(result.name for result in shared)], rows)


def _ratio(old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return ""
    if old == 0:
        return "1.00" if new == 0 else f"{new:g} from 0"
    return f"{new / old:.2f}"


def describe_machine() -> dict[str, Any]:
    """Tell what the figures were measured on."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "edgeasr": __version__,
        "libraries": versions,
    }


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = dict(line.split(":", 1) for line in lines if ":" in line)
    for key in ("model name\t", "Model\t\t", "Hardware\t"):
        if key in named:
            return str(named[key]).strip()
    return platform.machine()
