"""Synthetic speech for words that the recorded speech lacks, laid out as a data folder's speech is.

python -m tools.acoustic.synthetic --lexicon work/lm/lexicon.txt --out work/synthetic --sentences 9000

Chooses sentences of what people say to devices, first those with most words that no recording holds, and has the data
folder's synthesiser (`tts/synth.py`: festival and HTS voices, many virtual speakers) say them. `tools.acoustic.prepare
--also work/synthetic` takes them in as the part `synthetic`.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.errors import UsageError
from tools.acoustic.dataset import read_pronunciations
from tools.acoustic.waves import read_rows

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

_WORDS = range(3, 15)
_OFTEN_ENOUGH = (
    3  # a word that the recordings and the chosen sentences hold so many times brings nothing more
)
_SECONDS = 3600


def chosen(
    sentences: Iterable[str], heard: Counter[str], known: Container[str], count: int, seed: int = 1
) -> list[str]:
    """Pick up to `count` sentences of known words: those with rarely heard words first, then any, in no order."""
    order = np.random.default_rng(seed)
    fitting = [
        s for s in dict.fromkeys(sentences) if len(s.split()) in _WORDS and all(w in known for w in s.split())
    ]
    order.shuffle(fitting)
    counts = Counter(heard)
    rare, rest = [], []
    for sentence in fitting:
        words = set(sentence.split())
        if any(counts[word] < _OFTEN_ENOUGH for word in words):
            rare.append(sentence)
            counts.update(words)
        else:
            rest.append(sentence)
    return (rare + rest)[:count]


def said(synthesiser: Path, sentences: list[str], out: Path, jobs: int, seed: int = 1) -> None:
    """Have each sentence said by a virtual speaker of its own; write `synthetic.tar` and `train.tsv`."""
    speakers = np.random.default_rng(seed).integers(0, 100_000, len(sentences))
    lines = [f"rnd{speaker}\t{sentence}\n" for speaker, sentence in zip(speakers, sentences, strict=True)]
    (out / "sentences.tsv").write_text("".join(lines), encoding="utf-8")
    command = [
        sys.executable,
        str(synthesiser),
        str(out / "sentences.tsv"),
        str(out / "waves"),
        "-j",
        str(jobs),
    ]
    done = subprocess.run(command, check=False, timeout=_SECONDS)
    if done.returncode:
        raise UsageError(
            "the synthesiser failed; install festival, festvox-us-slt-hts and libhtsengine1 with apt-get"
        )
    with (
        (out / "train.tsv").open("w", encoding="utf-8", newline="") as table,
        tarfile.open(out / "synthetic.tar", "w") as archive,
        (out / "waves" / "manifest.jsonl").open(encoding="utf-8") as manifest,
    ):
        writer = csv.writer(table, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
        writer.writerow(["id", "tar", "speaker", "seconds", "licence", "text"])
        for item in map(json.loads, manifest):
            path = Path(item["audio"])
            archive.add(path, path.name)
            path.unlink()
            writer.writerow(
                [path.stem, "synthetic.tar", item["speaker"], item["duration"], "synthetic", item["text"]]
            )


def main() -> None:
    """Choose and synthesise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument("--out", type=Path, default=Path("work/synthetic"))
    parser.add_argument("--texts", nargs="*", default=["everyday_ccby"])
    parser.add_argument("--sentences", type=int, default=9000)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    heard = Counter(
        word for row in read_rows(args.shared / "speech" / "train.tsv") for word in row.text.split()
    )
    sentences: list[str] = []
    for name in args.texts:
        with lzma.open(args.shared / "text" / f"{name}.txt.xz", "rt", encoding="utf-8") as file:
            sentences += [line.strip() for line in file]
    picked = chosen(sentences, heard, read_pronunciations(args.lexicon), args.sentences)
    said(args.shared / "tts" / "synth.py", picked, args.out, args.jobs)


if __name__ == "__main__":
    main()
