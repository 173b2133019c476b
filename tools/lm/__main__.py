"""Build the language model, `lm.bin`, from the texts for a lexicon's words."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.errors import EdgeasrError, UsageError
from tools.lm.corpus import Vocabulary, read_words
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.mixture import fit, mix
from tools.lm.packed import pack, packed_bytes
from tools.lm.prune import prune
from tools.lm.report import measure
from tools.lm.sources import gather

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.lm.ngrams import Ngrams
    from tools.lm.sources import Source


def main() -> int:
    """Command line; exit code 0, or an error's own."""
    parser = argparse.ArgumentParser(prog="python -m tools.lm", description=__doc__)
    parser.add_argument(
        "--shared", type=Path, default=Path("../shared"), help="data folder (default: %(default)s)"
    )
    parser.add_argument(
        "--lexicon", type=Path, required=True, help="lexicon.txt, whose words are the vocabulary"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--order", type=int, default=4, help="words in the longest n-grams (default: %(default)s)"
    )
    parser.add_argument("--megabytes", type=float, default=22.0, help="size of lm.bin (default: %(default)s)")
    parser.add_argument("--dialogue", action="store_true", help="also use the share-alike dialogues")
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
        build(options)
    except EdgeasrError as error:
        print(f"lm: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def build(options: argparse.Namespace) -> None:
    """Estimate, mix, prune, write, and report in `lm.json`."""
    if not options.lexicon.is_file():
        msg = f"The lexicon {options.lexicon} is missing: run python -m tools.lexicon first."
        raise UsageError(msg)
    options.out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary.of(read_words(options.lexicon))
    sources = gather(options.shared, dialogue=options.dialogue, texts=options.text)

    def component(source: Source, sentences: Iterable[list[str]]) -> Ngrams:
        counts = count(vocabulary.encode(sentences), len(vocabulary), options.order)
        model = estimate(counts, source.minimum)
        _say(f"{source.name}: n-grams {model.sizes}")
        return model

    parts = [component(source, source.learn()) for source in sources]
    weights = fit(parts, [vocabulary.encode(source.heldout) for source in sources if source.heldout])
    _say(f"weights {[round(prior, 3) for prior in weights.priors]}, sharpness {weights.sharpness:.2f}")
    for i, source in enumerate(sources):
        if source.heldout:
            parts[i] = component(source, source.everything())
    whole = mix(parts, weights)
    parts.clear()
    dev = options.shared / "speech" / "dev.tsv"
    report: dict[str, object] = {
        "order": options.order,
        "vocabulary": len(vocabulary),
        "weights": asdict(weights),
    }
    report["sources"] = [source.name for source in sources]
    report["unpruned"] = {"ngrams": whole.sizes, "dev": measure(whole, vocabulary, dev)}
    budget = options.megabytes * 1e6
    pruned, threshold = prune(whole, lambda sizes, contexts: packed_bytes(sizes, contexts) <= budget)
    report["pruned"] = {
        "ngrams": pruned.sizes,
        "threshold": threshold,
        "dev": measure(pruned, vocabulary, dev),
    }
    _say(f"pruned to {pruned.sizes}: {report['pruned']}")
    (options.out / "lm.bin").write_bytes(packed := pack(pruned))
    size = len(packed)
    report["bytes"] = size
    (options.out / "lm.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _say(f"wrote {options.out / 'lm.bin'}, {size / 1e6:.1f} MB")


def _say(what: str) -> None:
    print(f"{time.process_time():6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
