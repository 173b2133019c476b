"""Places that a language model keeps free for the user's words.

An n-gram model built ahead knows a fixed list of words. Ours also lists unigrams that no text contains, at
several levels of probability; a word of the user's borrows the name of a free one on the level it should
have, and KenLM then scores it like any other. Their probability comes on top of all the others': it counts
only once a word stands for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS: Final = tuple(-1.5 - 0.5 * step for step in range(12))
"""Log10 probabilities, from that of the commonest words down to below that of the rarest."""
SLOTS_PER_LEVEL: Final = 256


def slot_names() -> Iterator[tuple[str, float]]:
    """Go through the slots, level by level: name in the language model and log10 probability."""
    for level in LEVELS:
        for slot in range(SLOTS_PER_LEVEL):
            yield f"<user{level:.1f}/{slot}>", level


def level_near(log10: float) -> int:
    """Return the place in `LEVELS` of the level that is nearest."""
    return min(range(len(LEVELS)), key=lambda place: abs(LEVELS[place] - log10))
