"""What is measured on: recordings with their references, and silence."""

from __future__ import annotations

import csv
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture import SAMPLE_RATE, FileSource
from edgeasr.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

FLOOR_DB: Final = -60.0  # a quiet room at a usual gain
_BLOCK: Final = SAMPLE_RATE * 30
_FULL_SCALE: Final = 32768.0


@dataclass(frozen=True, slots=True)
class Clip:
    """Samples, int16 at 16 kHz, and what is said in them, if that is known."""

    name: str
    samples: NDArray[np.int16]
    reference: str | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Row:
    """An utterance of a data set: a line of its table."""

    id: str
    tar: str
    speaker: str
    seconds: float
    text: str

    @property
    def part(self) -> str:
        """The corpus, first component of the tar's name."""
        return self.tar.split("-")[0].split(".")[0]


def read_samples(path: Path) -> NDArray[np.int16]:
    """Read a whole audio file; raises AudioFormatError."""
    blocks = []
    with closing(FileSource(path)) as source:
        while True:
            block = np.zeros(_BLOCK, dtype=np.int16)
            count = source.read(block)
            blocks.append(block[:count])
            if count < len(block):
                return np.concatenate(blocks)


def read_clips(files: Iterable[Path], references: Mapping[str, str] | None = None) -> list[Clip]:
    """Read recordings; a reference comes from `references` by name or stem, else from FILE.txt or NAME.txt."""
    return [Clip(path.name, read_samples(path), _reference(path, references or {})) for path in files]


def _reference(path: Path, references: Mapping[str, str]) -> str | None:
    for name in (str(path), path.name, path.stem):
        if name in references:
            return references[name]
    for beside in (path.with_name(path.name + ".txt"), path.with_suffix(".txt")):
        if beside != path and beside.is_file():
            try:
                return beside.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{beside} cannot be read as UTF-8 text ({error}); correct it") from None
    return None


def read_references(table: Path) -> dict[str, str]:
    """Read a TSV with the columns `id` or `file`, and `text`; raises UsageError."""
    references = {}
    for line in _table(table):
        name = line.get("id") or line.get("file")
        if name is None or line.get("text") is None:
            raise UsageError(f"{table} needs the columns id (or file) and text, divided by tabs")
        references[name] = line["text"]
    return references


def read_rows(table: Path) -> list[Row]:
    """Read a data set's table with the columns id, tar, speaker, seconds, text; raises UsageError."""
    try:
        return [
            Row(line["id"], line["tar"], line.get("speaker") or "", float(line["seconds"]), line["text"])
            for line in _table(table)
        ]
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{table} needs the columns id, tar, speaker, seconds and text, divided by tabs"
        ) from None


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a table ({error}); check the path") from None


def choose(rows: list[Row], minutes: float | None = None, parts: Iterable[str] = ()) -> list[Row]:
    """Take rows of the parts (all if none), spread evenly over the table, of `minutes` at most."""
    wanted = set(parts)
    unknown = wanted - {row.part for row in rows}
    if unknown:
        raise UsageError(
            f"the data set has no part {min(unknown)}; it has {', '.join(sorted({row.part for row in rows}))}"
        )
    rows = [row for row in rows if not wanted or row.part in wanted]
    total = sum(row.seconds for row in rows)
    if minutes is None or total <= minutes * 60:
        return rows
    share = minutes * 60 / total
    kept, seconds, passed = [], 0.0, 0.0
    for row in rows:
        passed += row.seconds
        if seconds + row.seconds <= passed * share + row.seconds / 2 and seconds < minutes * 60:
            kept.append(row)
            seconds += row.seconds
    return kept


def dataset_clips(rows: Iterable[Row], tars: Path) -> Iterator[tuple[Row, Clip]]:
    """Decode the rows' recordings out of their tar files; raises UsageError, AudioFormatError."""
    by_tar: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_tar.setdefault(row.tar, {})[row.id] = row
    for name, wanted in by_tar.items():
        path = tars / name
        try:
            with tarfile.open(path) as tar, tempfile.TemporaryDirectory(prefix="edgeasr-") as folder:
                for member in tar:
                    here = wanted.pop(Path(member.name).stem, None)
                    extracted = tar.extractfile(member) if here else None
                    if here and extracted:
                        copy = Path(folder) / f"clip{Path(member.name).suffix}"
                        copy.write_bytes(extracted.read())
                        yield here, Clip(here.id, read_samples(copy), here.text)
        except (OSError, tarfile.TarError) as error:
            raise UsageError(f"{path} cannot be read ({error}); name the folder of the tar files") from None
        if wanted:
            raise UsageError(
                f"{path} lacks {next(iter(wanted))}; the table and the tar do not belong together"
            )


def noise_floor(seconds: float, level_db: float = FLOOR_DB, seed: int = 1) -> NDArray[np.int16]:
    """Make the hiss of a quiet room: white noise of a level relative to full scale, the same each time."""
    generator = np.random.default_rng(seed)
    deviation = _FULL_SCALE * 10.0 ** (level_db / 20.0)
    drawn = generator.standard_normal(round(seconds * SAMPLE_RATE)) * deviation
    clipped: NDArray[np.float64] = np.clip(np.rint(drawn), -32768, 32767)
    return clipped.astype(np.int16)


def digital_silence(seconds: float) -> NDArray[np.int16]:
    """Make zeros."""
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.int16)
