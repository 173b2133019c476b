"""Words, their pronunciations, and the prefix tree that the search walks."""

from __future__ import annotations

import lzma
import math
from typing import TYPE_CHECKING, Final, TextIO

import numpy as np

from edgeasr.decoder.packed import HEADER, MAGIC, check_units, marked, pack, units_mark
from edgeasr.decoder.words import Words
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

BLANK: Final = "<blk>"


class Lexicon:
    """Vocabulary of a bundle, packed and mapped; only what is looked at takes memory.

    `units`: names of the rows' columns, blank first. `data`: the packed tree, uint8. Raises BundleError where these do
    not belong together.
    """

    def __init__(self, units: Sequence[str], data: NDArray[np.uint8], *, source: str = "lexicon.bin") -> None:
        if not units or units[0] != BLANK or len(set(units)) != len(units):
            raise BundleError(
                f"the units beside {source} must be distinct and begin with {BLANK}; rebuild the bundle"
            )
        if len(data) < HEADER.size or bytes(data[:8]) != MAGIC:
            raise BundleError(f"{source} is no packed lexicon; fetch the bundle again")
        _, count, words, nodes, labels, text, mark = HEADER.unpack(bytes(data[: HEADER.size]))
        if count != len(units):
            raise BundleError(f"{source} has {count} units, but its bundle {len(units)}; fetch it again")
        if mark and mark != units_mark(units):
            raise BundleError(f"{source} was made for units of other names than its bundle's; fetch it again")
        begin = HEADER.size + 4 * (2 * (nodes + 1) + labels)
        end = begin + 4 * (words + 1) + 2 * nodes
        if not words or len(data) != end + text:
            raise BundleError(f"{source} is not whole; fetch the bundle again")
        self.units, self.data = tuple(units), data
        self.words = Words(data[end:], data[begin : begin + 4 * (words + 1)].view(np.uint32))

    @classmethod
    def load(cls, tokens: Path, packed: Path) -> Lexicon:
        """Map a bundle's `lexicon.bin` beside its `tokens.txt`; BundleError where they are missing or broken."""
        try:
            units = tokens.read_text(encoding="utf-8").split()
            data = np.memmap(packed, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise BundleError(
                f"cannot read the bundle's tokens and lexicon ({error}); fetch it again"
            ) from error
        return cls(units, data, source=str(packed))

    @classmethod
    def of(cls, units: Sequence[str], entries: Iterable[str], *, source: str = "lexicon.txt") -> Lexicon:
        """Pack lines `word<TAB>P1 P2 …`, most probable words first.

        Their order is that of the words' numbers and of homophones, and guides the search before a word is complete.
        Raises BundleError for a unit that `units` lacks or a line without pronunciation.
        """
        check_units(len(units))
        index: dict[str, int] = {}
        numbers = {unit: bytes([number]) for number, unit in enumerate(units) if number > 0}
        labels, spoken = [], []
        for line in entries:
            word, tab, pronunciation = line.partition("\t")
            if not line.strip():
                continue
            if not tab or not pronunciation.strip():
                raise BundleError(
                    f"{source} has the line {line!r} without a tab and phones; rebuild the bundle"
                )
            try:
                spoken.append(b"".join([numbers[unit] for unit in pronunciation.split()]))
            except KeyError as error:
                raise BundleError(
                    f"{source} uses the unit {error}, which tokens.txt lacks; rebuild the bundle"
                ) from error
            labels.append(index.setdefault(word, len(index)))
        if not index:
            raise BundleError(f"{source} holds no words; rebuild the bundle")
        ahead = rank_scores(len(index))[labels]
        packed = pack(len(units), list(index), spoken, labels, ahead)
        return cls(units, np.frombuffer(marked(packed, units), np.uint8), source=source)

    def __len__(self) -> int:
        """Count the distinct words."""
        return len(self.words)


def look_up(path: Path, wanted: Collection[str]) -> dict[str, list[str]]:
    """Pronunciations that a `lexicon.txt`, plain or `.xz`, lists for the wanted words; BundleError if unreadable."""
    found: dict[str, list[str]] = {}
    if not wanted:
        return found
    try:
        with _opened(path) as lines:
            for line in lines:
                word, _, pronunciation = line.partition("\t")
                if word in wanted:
                    found.setdefault(word, []).append(pronunciation.rstrip("\r\n"))
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {path} ({error}); fetch the bundle again") from error
    return found


def _opened(path: Path) -> TextIO:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def rank_scores(count: int) -> NDArray[np.float32]:
    """Log10 probabilities that words of ranks 0 to `count` - 1 would have.

    Zipf's law with its second regime from about rank 8,000 on (Ferrer i Cancho and Solé, 2001).
    """
    rank = np.arange(count, dtype=np.float64) + 2.7
    knee = 8000.0
    tail = np.maximum(np.log10(rank) - math.log10(knee), 0.0)
    scores: NDArray[np.float32] = (math.log10(0.12) - np.log10(rank) - 0.6 * tail).astype(np.float32)
    return scores
