"""Build `lexicon.txt`, `tokens.txt` and `g2p.npz` from the texts and the CMU dictionary."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.decoder.g2p import Pronouncer
from edgeasr.errors import EdgeasrError
from edgeasr.phones import PHONES
from tools.lexicon.build import Lexicon, write_lexicon
from tools.lexicon.cmu import dictionary
from tools.lexicon.train_g2p import errors, held_out, train
from tools.lexicon.vocabulary import choose

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> int:
    """Command line; exit code 0, or an error's own."""
    parser = argparse.ArgumentParser(prog="python -m tools.lexicon", description=__doc__)
    parser.add_argument(
        "--shared", type=Path, default=Path("../shared"), help="data folder (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--size", type=int, default=125_000, help="words at most (default: %(default)s)")
    parser.add_argument(
        "--learn-from",
        type=int,
        metavar="WORDS",
        help="so many words for the letter-to-sound model (default: all)",
    )
    parser.add_argument(
        "--text",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="further texts, as `tools.lm.reference` writes",
    )
    options = parser.parse_args()
    try:
        build(options.shared, options.out, options.size, options.learn_from, options.text)
    except EdgeasrError as error:
        print(f"lexicon: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def build(
    shared: Path, out: Path, size: int, learn_from: int | None = None, texts: Sequence[Path] = ()
) -> None:
    """Measure the letter-to-sound model on held-out words, train it on all, write the files and a report."""
    out.mkdir(parents=True, exist_ok=True)
    known = dictionary()
    learnt = dict(islice(known.items(), 0, None, -(-len(known) // (learn_from or len(known)))))
    model = out / "g2p.npz"
    train({word: said for word, said in learnt.items() if not held_out(word)}, model)
    test = {word: said for word, said in learnt.items() if held_out(word) and len(word) > 1}
    phone_errors, word_errors = errors(Pronouncer.load(model), test)
    print(
        f"g2p on {len(test)} held-out words: {phone_errors:.2%} phone errors, {word_errors:.1%} words wrong"
    )
    train(learnt, model)
    words, common = choose(shared, known, size, texts)
    sources = write_lexicon(words, Lexicon(Pronouncer.load(model), known, common), out / "lexicon.txt")
    (out / "tokens.txt").write_text("\n".join(("<blk>", *PHONES)) + "\n", encoding="utf-8")
    print(f"{len(words)} words: {sources}")
    report = {
        "words": len(words),
        "pronounced_by": sources,
        "g2p_phone_error_rate": round(phone_errors, 4),
        "g2p_word_error_rate": round(word_errors, 4),
        "g2p_held_out_words": len(test),
    }
    (out / "lexicon.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
