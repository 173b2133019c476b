"""Words, their pronunciations, and the prefix tree that the search walks."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeasr.decoder.slots import slot_names
from edgeasr.decoder.words import Words
from edgeasr.errors import BundleError, RuntimeMissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

BLANK: Final = "<blk>"
WORDS_PER_NODE: Final = (
    6  # flashlight's kTrieMaxLabel: further homophones at a node would be dropped with a complaint
)


class Lexicon:
    """Vocabulary of a bundle.

    `units`: names of the rows' columns, blank first. `entries`: lines `word<TAB>P1 P2 …`, most probable words
    first; their order decides which homophones survive and guides the search before a word is complete.
    Raises BundleError for a unit that `units` lacks or a line without pronunciation.
    """

    def __init__(
        self,
        units: Sequence[str],
        entries: Iterable[str],
        *,
        source: str = "lexicon.txt",
    ) -> None:
        if not units or units[0] != BLANK or len(set(units)) != len(units):
            raise BundleError(
                f"the units beside {source} must be distinct and begin with {BLANK}; rebuild the bundle"
            )
        self.units = tuple(units)
        index: dict[str, int] = {}
        # A byte a unit and end to end: as many str would take ten times the memory, and leave it in pieces.
        unit_bytes = {unit: bytes([number]) for number, unit in enumerate(self.units) if number > 0}
        phones, word_of, ends = bytearray(), array("I"), array("I")

        def keep(word: str, pronunciation: str) -> None:
            word_of.append(index.setdefault(word, len(index)))
            try:
                phones.extend(b"".join([unit_bytes[unit] for unit in pronunciation.split()]))
            except KeyError as error:
                raise BundleError(
                    f"{source} uses the unit {error}, which tokens.txt lacks; rebuild the bundle"
                ) from error
            ends.append(len(phones))

        for line in entries:
            word, tab, pronunciation = line.partition("\t")
            if not tab or not pronunciation:
                if line.strip():
                    raise BundleError(
                        f"{source} has the line {line!r} without a tab and phones; rebuild the bundle"
                    )
                continue
            keep(word, pronunciation)
        if not index:
            raise BundleError(f"{source} holds no words; rebuild the bundle")
        self._phones, self._word_of, self._ends = bytes(phones), word_of, ends
        self.words = Words(index)

    @classmethod
    def load(cls, tokens: Path, lexicon: Path) -> Lexicon:
        """Read a bundle's `tokens.txt` and `lexicon.txt`; BundleError where they are missing or broken."""
        try:
            units = tokens.read_text(encoding="utf-8").split()
            with lexicon.open(encoding="utf-8") as lines:
                entries = (line.rstrip("\r\n") for line in lines)
                return cls(units, entries, source=str(lexicon))
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(
                f"cannot read the bundle's tokens and lexicon ({error}); fetch it again"
            ) from error

    def __len__(self) -> int:
        """Count the distinct words."""
        return len(self.words)

    def trie(self, *, look_ahead: bool = True) -> Any:
        """Build flashlight's prefix tree; labels are indices into `words`.

        With `look_ahead`, nodes carry the best log10 probability below them, estimated from the words' ranks;
        it steers pruning only, since the search takes it back at the word's end. A Python loop: other threads
        get turns.
        """
        library = flashlight()
        tree = library.Trie(len(self.units), 0)
        insert = tree.insert
        scores = rank_scores(len(self.words)) if look_ahead else np.zeros(len(self.words), np.float32)
        crowded = self._crowded()
        taken: dict[bytes, int] = {}
        for word, pronunciation in zip(self._word_of, self._pronunciations(), strict=True):
            if hash(pronunciation) in crowded:
                taken[pronunciation] = taken.get(pronunciation, 0) + 1
                if taken[pronunciation] > WORDS_PER_NODE:
                    continue
            insert(list(pronunciation), word, scores[word])
        tree.smear(library.SmearingMode.MAX)
        return tree

    def dictionary(self) -> Any:
        """Words in order, then the slots for the user's, as flashlight's KenLM wants them.

        One by one, so that other threads get turns. A slot that the model lacks counts as its unknown word.
        """
        from flashlight.lib.text.dictionary import Dictionary  # noqa: PLC0415

        dictionary = Dictionary()
        for word in self.words:
            dictionary.add_entry(word)
        for name, _ in slot_names():
            dictionary.add_entry(name)
        return dictionary

    def release(self) -> None:
        """Forget the pronunciations once the tree is built."""
        self._phones, self._word_of, self._ends = b"", array("I"), array("I")

    def _pronunciations(self) -> Iterator[bytes]:
        begin = 0
        for end in self._ends:
            yield self._phones[begin:end]
            begin = end

    def _crowded(self) -> set[int]:
        """Hashes of the pronunciations that more words share than a node can hold."""
        hashes = np.fromiter(map(hash, self._pronunciations()), np.int64, len(self._ends))
        values, counts = np.unique(hashes, return_counts=True)
        return set(values[counts > WORDS_PER_NODE].tolist())


def look_up(path: Path, wanted: Collection[str]) -> dict[str, list[str]]:
    """Pronunciations that a `lexicon.txt` lists for the wanted words; BundleError where it cannot be read."""
    found: dict[str, list[str]] = {}
    if not wanted:
        return found
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                word, _, pronunciation = line.partition("\t")
                if word in wanted:
                    found.setdefault(word, []).append(pronunciation.rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {path} ({error}); fetch the bundle again") from error
    return found


def rank_scores(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Log10 probabilities that words of ranks 0 to `count` - 1 would have.

    Zipf's law with its second regime from about rank 8,000 on (Ferrer i Cancho and Solé, 2001).
    """
    rank = np.arange(count, dtype=np.float64) + 2.7
    knee = 8000.0
    tail = np.maximum(np.log10(rank) - math.log10(knee), 0.0)
    scores: np.ndarray[tuple[int], np.dtype[np.float32]] = (
        math.log10(0.12) - np.log10(rank) - 0.6 * tail
    ).astype(np.float32)
    return scores


def flashlight() -> Any:
    """Return the decoder module of flashlight-text; RuntimeMissingError where it is not installed."""
    try:
        from flashlight.lib.text import decoder  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeMissingError(
            "flashlight-text is not installed; run: pip install flashlight-text==0.0.7"
        ) from error
    return decoder
