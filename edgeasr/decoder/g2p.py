"""Pronunciations of words that no lexicon lists, from a joint n-gram of letters and phones.

A word is spelled as a sequence of graphones (a letter or two with none to two phones each); the pronunciation
is the phones of the most probable sequences (Bisani & Ney 2008). The model is a pruned back-off n-gram of
graphones in one small file; the search is plain Python, some three milliseconds a word.
"""

from __future__ import annotations

import math
import unicodedata
import zipfile
import zlib
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz'"
SIBILANTS: Final = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS: Final = frozenset({"P", "T", "K", "F", "TH"})
# fmt: off
_NAMES: Final = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY",
    "h": "EY CH", "i": "AY", "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N",
    "o": "OW", "p": "P IY", "q": "K Y UW", "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW",
    "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S", "y": "W AY", "z": "Z IY",
}
# fmt: on

STEP: Final = 1 / 16
"""Resolution of the stored natural logarithms."""
_BEAM: Final = 16
_WIDTH: Final = 5.0  # natural log
_LONGEST_WORD: Final = 40
_START: Final = 1
_END: Final = 2

# What numpy and zipfile make of a damaged file: RuntimeError for one that looks encrypted or oddly compressed.
_BROKEN: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    RuntimeError,
    OverflowError,
    MemoryError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)

Pronunciation = tuple[str, ...]
_Context = tuple[int, ...]


class Pronouncer:
    """Grapheme-to-phoneme model.

    `units`: by number, letters and phones of each graphone (0 to 2 are the unknown unit, start and end).
    `levels`: by n-gram length, the arrays that `save` lists.
    """

    def __init__(
        self, units: list[tuple[str, Pronunciation]], levels: list[dict[str, NDArray[np.generic]]]
    ) -> None:
        self._units = units
        self._by_letters: dict[str, list[int]] = {}
        for number, (letters, _) in enumerate(units):
            if letters:
                self._by_letters.setdefault(letters, []).append(number)
        self._word = [array("H", level["word"].astype(np.uint16).tobytes()) for level in levels]
        self._logp = [array("B", level["logp"].astype(np.uint8).tobytes()) for level in levels]
        self._backoff = [array("b", level["backoff"].astype(np.int8).tobytes()) for level in levels[:-1]]
        self._first = [
            array(
                "I",
                np.concatenate(([0], np.cumsum(level["followers"], dtype=np.uint32)))
                .astype(np.uint32)
                .tobytes(),
            )
            for level in levels[:-1]
        ]

    @classmethod
    def load(cls, path: Path) -> Pronouncer:
        """Read a model file; BundleError where it is missing or broken."""
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                units = [
                    (letters, tuple(phones.split()))
                    for letters, _, phones in (line.partition(":") for line in str(file["units"]).split("\n"))
                ]
                order = int(file["order"])
                names = ("word", "logp", "backoff", "followers")
                return cls(units, [{name: file[f"{name}{n}"] for name in names} for n in range(order)])
        except _BROKEN as error:
            msg = f"the pronunciation model {path} cannot be read ({error}); fetch the bundle again"
            raise BundleError(msg) from error

    def pronounce(self, word: str, limit: int = 3, ratio: float = 0.35) -> list[Pronunciation]:
        """Pronunciations, best first: at most `limit`, none less probable than `ratio` times the best.

        Case, accents and characters beyond letters and apostrophes don't count. Words without vowels are
        read as letters. Empty for a word without letters.
        """
        plain = unicodedata.normalize("NFKD", word[:_LONGEST_WORD]).lower().replace("\u2019", "'")
        spelled = "".join(c for c in plain if c in LETTERS).strip("'")
        if spelled.endswith("'s") and len(spelled) > 3:
            return [with_s(base) for base in self.pronounce(spelled[:-2], limit, ratio)]
        if spelled and not set(spelled) & set("aeiouy"):
            return [
                tuple(phone for letter in spelled if letter in _NAMES for phone in _NAMES[letter].split())
            ]
        found = sorted(self._search(spelled).items(), key=lambda item: -item[1]) if spelled else []
        return [phones for phones, score in found[:limit] if score >= found[0][1] + math.log(ratio)]

    def _search(self, word: str) -> dict[Pronunciation, float]:
        """Log-probability by pronunciation of what is left in the beam at the word's end."""
        nodes: dict[_Context, int] = {(): 0}
        longest = len(self._word) - 1
        reached: list[dict[tuple[_Context, Pronunciation], float]] = [{} for _ in range(len(word) + 1)]
        reached[0][(_START,), ()] = 0.0
        for at in range(len(word)):
            best = sorted(reached[at].items(), key=lambda item: -item[1])[:_BEAM]
            best = [item for item in best if item[1] >= best[0][1] - _WIDTH]
            for size in (1, 2):
                if at + size > len(word):
                    break
                ahead = reached[at + size]
                for unit in self._by_letters.get(word[at : at + size], ()):
                    phones = self._units[unit][1]
                    for (context, said), score in best:
                        key = ((*context, unit)[-longest:], said + phones)
                        total = score + self._score(context, unit, nodes)
                        ahead[key] = _log_add(total, ahead[key]) if key in ahead else total
        ends: dict[Pronunciation, float] = {}
        for (context, said), score in reached[-1].items():
            total = score + self._score(context, _END, nodes)
            if said:
                ends[said] = _log_add(total, ends[said]) if said in ends else total
        return ends

    def _score(self, context: _Context, unit: int, nodes: dict[_Context, int]) -> float:
        """Log-probability of a unit after a context, backing off to shorter ones."""
        total = 0
        for skip in range(len(context)):
            shorter = context[skip:]
            node = self._node(shorter, nodes)
            if node < 0:
                continue
            level = len(shorter)
            child = self._child(level, node, unit)
            if child >= 0:
                return STEP * (total - self._logp[level][child])
            total += self._backoff[level - 1][node]
        return STEP * (total - self._logp[0][unit])

    def _node(self, context: _Context, nodes: dict[_Context, int]) -> int:
        """Index of a context in its level; -1 where the model doesn't list it."""
        if context not in nodes:
            if len(context) == 1:
                nodes[context] = context[0]
            else:
                parent = self._node(context[:-1], nodes)
                nodes[context] = self._child(len(context) - 1, parent, context[-1]) if parent >= 0 else -1
        return nodes[context]

    def _child(self, level: int, node: int, unit: int) -> int:
        """Index in a level (from 0) of the n-gram that continues a node of the level below by a unit."""
        words, first = self._word[level], self._first[level - 1]
        end = first[node + 1]
        at = bisect_left(words, unit, first[node], end)
        return at if at < end and words[at] == unit else -1


def with_s(base: Pronunciation) -> Pronunciation:
    """Sound a noun's plural or possessive, a verb's third person."""
    if not base:
        return base
    if base[-1] in SIBILANTS:
        return (*base, "IH", "Z")
    return (*base, "S" if base[-1] in VOICELESS else "Z")


def _log_add(a: float, b: float) -> float:
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))
