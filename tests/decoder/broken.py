"""Decode with damaged files, many times over; a program of its own, since what it looks for would end the tests.

Arguments: the first case's number and how many cases. Names the case at hand on standard output; ends with a traceback
where a damaged file gives anything but a BundleError or words.
"""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.decoder import BeamDecoder, Lexicon, SearchOptions, VocabularyMaker
from edgeasr.decoder.search import START
from edgeasr.errors import BundleError
from edgeasr.settings import UserWord
from tools.lm.corpus import Vocabulary
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.packed import pack

from .tiny import ENTRIES, STEP, UNITS, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS = list(Lexicon.of(UNITS, ENTRIES).words)
ODD = (0, 1, 2, 3, 15, 63, 64, 65, 255, 1 << 18, (1 << 18) - 1, 1 << 31, (1 << 31) - 1, (1 << 32) - 1)


def language_model() -> bytes:
    numbers, draw = Vocabulary.of(WORDS), random.Random(1)  # noqa: S311 - a test's
    text = [draw.choices(WORDS, k=draw.randint(1, 6)) for _ in range(80)]
    return pack(estimate(count(numbers.encode(text), len(numbers), 4)))


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Overwrite bits, bytes and numbers, most often where counts stay as they are; now and then cut or lengthen."""
    out = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 5, 30])):
        kind, place = draw.random(), draw.randrange(len(out))
        if kind < 0.2:
            out[place] ^= 1 << draw.randrange(8)
        elif kind < 0.4:
            out[place] = draw.randrange(256)
        elif kind < 0.92:
            place = (draw.randrange(min(len(out), 64)) if kind > 0.9 else place) // 4 * 4
            value = draw.choice([draw.choice(ODD), draw.randrange(1 << 32), draw.randrange(40)])
            out[place : place + 4] = struct.pack("<I", value)[: len(out) - place]
        elif kind < 0.95:
            size = min(draw.randrange(1, 60), len(out) - place)
            begin = draw.randrange(len(out) - size + 1)
            out[place : place + size] = out[begin : begin + size]
        elif kind < 0.975:
            del out[place + 1 :]
        else:
            out += draw.randbytes(draw.randrange(1, 60))
    return bytes(out)


def array(data: bytes) -> NDArray[np.uint8]:
    """Give the data memory of its own, at whose end a checker of memory stands guard."""
    return np.frombuffer(data, np.uint8).copy()


def use(words: bytes, model: bytes | None, draw: random.Random) -> None:
    """Do all that is done with a lexicon and a model."""
    lexicon = Lexicon(UNITS, array(words))
    options = SearchOptions(
        beam=draw.choice([1, 8, 60]), tokens=draw.choice([1, 6, 16]), threshold=draw.choice([10.0, 80.0]),
        lm_order=draw.choice([0, 1, 2, 3, 8]), blank_penalty=draw.choice([0.0, 3.0]),
    )  # fmt: skip
    search = BeamDecoder(lexicon, None if model is None else array(model), step_seconds=STEP, options=options)
    if draw.random() < 0.3:
        unigram = search.unigram if model else None
        maker = VocabularyMaker(UNITS, lexicon.words, unigram, lexicon=Path(), pronouncer=None)
        search.adopt(maker.make([UserWord("zuleika", ("Z UW L EY K AH", "AH"))]))
    generator = np.random.default_rng(draw.randrange(1 << 30))
    for _ in range(2):
        search.begin()
        search.step(noise(generator, draw.choice([5, 60]), 1.0, draw.choice([1.0, 4.0])))
        search.partial()
        search.finish()
    context = START
    for _ in range(20):
        label = draw.choice([None, draw.randrange(len(lexicon)), draw.randrange(1 << 32)])
        _, context = search.search.language(draw.choice([context, draw.randrange(400)]), label)
    lexicon.words.find("light")
    assert len(list(lexicon.words[: len(ENTRIES)])) <= len(ENTRIES)


def main(first: int, cases: int) -> None:
    """Go through the cases."""
    words, model = Lexicon.of(UNITS, ENTRIES).data.tobytes(), language_model()
    refused = 0
    for case in range(first, first + cases):
        print(case, flush=True)  # noqa: T201
        draw = random.Random(case)  # noqa: S311 - a test's
        what = draw.choice(["words", "model", "both"])
        try:
            use(
                damaged(words, draw) if what != "model" else words,
                damaged(model, draw) if what != "words" else model,
                draw,
            )
        except BundleError:
            refused += 1
    print(f"{refused} refused")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
