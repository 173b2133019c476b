"""Label recordings of speech with a teacher, so that the network can learn from them.

python -m tools.acoustic.teach RECORDINGS… --out work/taught --second tiny.en

The teacher is Whisper through faster-whisper (`pip install -e .[peers]`). What it is unsure of is left out: doubtful
labels teach wrong sounds. Writes `OUT/train.tsv` and `OUT/taught.train.tar`, as a data folder's speech is laid out, for
`tools.acoustic.prepare --also OUT`, and with `--lexicon` an `OUT/lexicon.txt` that has all words of the labels too, for
`tools.acoustic.realign` and `tools.acoustic.train`, which leave out sentences with words that they cannot say.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import re
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import soundfile
from rich.progress import track

from edgeasr.bench import count_errors, read_samples
from edgeasr.decoder.g2p import Pronouncer
from edgeasr.errors import EdgeasrError, UsageError
from edgeasr.frontend import SAMPLE_RATE
from tools.acoustic.waves import LONGEST_SECONDS
from tools.lm.figures import read_out
from tools.lm.reference import apart, plain, words_of
from tools.peers.whisper import Whisper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tools.peers.whisper import Segment


class Teacher(Protocol):
    """Who labels."""

    def hear(self, samples: NDArray[np.int16]) -> list[Segment]:
        """Return the segments of a recording, int16 at 16 kHz."""


_MARGIN_SECONDS = 0.5  # the teacher's times are no finer; a neighbour is not cut into
_LONGEST = LONGEST_SECONDS - 2 * _MARGIN_SECONDS
_LETTERS_A_SECOND = (3.0, 24.0)  # slower or faster is a label that lacks words or has some too many
_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
_LEAST_LOGPROB = -0.5  # three quarters of Common Voice, with 7 % of their words wrong
_APART = 0.2
_TAR = "taught.train.tar"

Stretch = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a label has to be to be kept.

    `logprob`: least mean log-probability of the teacher's tokens. `compression`: how many times its text may shrink,
    which tells of repetition. `no_speech`: probability at most that nobody speaks. `apart`: share of words at most that
    the second teacher says otherwise.
    """

    logprob: float = _LEAST_LOGPROB
    compression: float = 1.8
    no_speech: float = 0.5
    apart: float = _APART


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a recording, int16 at 16 kHz, and its label."""

    samples: NDArray[np.int16]
    text: str


def faults(segment: Segment, text: str, limits: Limits) -> str | None:
    """Return why a label is left out; None where it is good. `text`: the label as words."""
    if not text:
        return "no words, or figures and signs that have no one reading"
    if segment.logprob < limits.logprob:
        return "the teacher is unsure"
    if segment.compression > limits.compression:
        return "the text repeats itself"
    if segment.no_speech > limits.no_speech:
        return "nobody speaks"
    letters = len(text) / max(segment.end - segment.start, 0.1)
    if not _LETTERS_A_SECOND[0] <= letters <= _LETTERS_A_SECOND[1]:
        return "too few or too many letters for the time"
    return None


def label(written: str) -> str:
    """Lower-case words of the teacher's writing, figures read out; empty where a figure or sign is left."""
    said = read_out(plain(written))
    has_more = re.search(r"[\d$\u00a3\u20ac%&@#/+=]", said) or any(
        c.isalpha() and not c.isascii() for c in said
    )
    return "" if has_more else " ".join(words_of(said))


def joined(segments: Iterable[tuple[Segment, str]], longest: float = _LONGEST) -> Iterator[Stretch]:
    """Join neighbours, segments with their labels, to stretches of `longest` seconds at most; no label parts them."""
    run: list[tuple[Segment, str]] = []
    for segment, text in segments:
        if run and (not text or segment.end - run[0][0].start > longest):
            yield stretch(run)
            run = []
        if text:
            run.append((segment, text))
    if run:
        yield stretch(run)


def stretch(run: Sequence[tuple[Segment, str]]) -> Stretch:
    """Where a run of segments begins and ends (seconds), and its words."""
    return run[0][0].start, run[-1][0].end, " ".join(text for _, text in run)


def taught(
    samples: NDArray[np.int16], teacher: Teacher, second: Teacher | None, limits: Limits, why: Counter[str]
) -> list[Piece]:
    """Pieces of a recording (int16 at 16 kHz) whose labels are good; `why` counts the seconds left out, by reason."""
    segments = teacher.hear(samples)
    labelled = []
    for segment in segments:
        text = label(segment.text)
        reason = faults(segment, text, limits)
        if reason:
            why[reason] += round(segment.end - segment.start)
        labelled.append((segment, "" if reason else text))
    kept: list[Piece] = []
    for start, end, text in joined(labelled):
        before = max((s.end for s in segments if s.end <= start), default=0.0)
        after = min((s.start for s in segments if s.start >= end), default=math.inf)
        first, last = max(before, start - _MARGIN_SECONDS), min(after, end + _MARGIN_SECONDS)
        piece = Piece(samples[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)], text)
        reason = doubts(piece, second, limits)
        if reason:
            why[reason] += round(end - start)
        else:
            kept.append(piece)
    return kept


def doubts(piece: Piece, second: Teacher | None, limits: Limits) -> str | None:
    """Return why a piece is left out; None where it is good."""
    if len(piece.samples) > LONGEST_SECONDS * SAMPLE_RATE:
        return "too long"
    if second is not None:
        other = label(" ".join(segment.text for segment in second.hear(piece.samples)))
        if (count_errors(piece.text, other).rate or 0.0) > limits.apart:
            return "the second teacher says something else"
    return None


def write(pieces: Iterable[tuple[str, Piece]], out: Path, speaker: str, licence: str) -> list[str]:
    """Write table and archive of named pieces; returns their labels."""
    out.mkdir(parents=True, exist_ok=True)
    labels = []
    with (
        (out / "train.tsv").open("w", encoding="utf-8", newline="") as table,
        tarfile.open(out / _TAR, "w") as archive,
    ):
        writer = csv.writer(table, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
        writer.writerow(["id", "tar", "speaker", "seconds", "licence", "text"])
        for name, piece in pieces:
            buffer = io.BytesIO()
            soundfile.write(buffer, piece.samples, SAMPLE_RATE, format="FLAC")
            member = tarfile.TarInfo(f"{name}.flac")
            member.size = len(buffer.getbuffer())
            buffer.seek(0)
            archive.addfile(member, buffer)
            seconds = f"{len(piece.samples) / SAMPLE_RATE:.3f}"
            writer.writerow([name, _TAR, speaker, seconds, licence, piece.text])
            labels.append(piece.text)
    return labels


def completed(lexicon: str, labels: Iterable[str], pronouncer: Pronouncer) -> str:
    """Return the lexicon with guessed pronunciations of the labels' other words."""
    known = {line.split("\t")[0] for line in lexicon.splitlines()}
    missing = sorted({word for text in labels for word in text.split()} - known)
    guessed = ((word, pronouncer.pronounce(word, 1)) for word in missing)
    lines = [f"{word}\t{' '.join(found[0])}\n" for word, found in guessed if found]
    return lexicon.rstrip("\n") + "\n" + "".join(lines)


def recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders with all recordings in them; UsageError where there is none."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist; name recordings or folders of them")
        inside = (p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
        found += sorted(inside) if path.is_dir() else [path]
    if not found:
        raise UsageError(f"there are no recordings ({', '.join(sorted(_SUFFIXES))}) in what was named")
    return found


def teach(args: argparse.Namespace) -> None:
    """Label what the command line names, and tell how much is kept."""
    files = recordings(args.audio)
    pronouncer = Pronouncer.load(args.pronouncer) if args.lexicon else None
    teacher = Whisper(args.model, cache=args.cache)
    second = Whisper(args.second, cache=args.cache) if args.second else None
    limits = Limits(logprob=args.least_logprob, apart=args.apart)
    why: Counter[str] = Counter()

    def pieces() -> Iterator[tuple[str, Piece]]:
        for number, path in enumerate(track(files, "taught")):
            try:
                samples = read_samples(path)
            except EdgeasrError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            for count, piece in enumerate(taught(samples, teacher, second, limits, why)):
                if args.without and not list(apart([piece.text], args.without)):
                    why["a sentence of the test speech"] += round(len(piece.samples) / SAMPLE_RATE)
                else:
                    yield f"{path.stem}-{number}-{count}", piece

    labels = write(pieces(), args.out, args.speaker, args.licence)
    if pronouncer is not None:
        lexicon = args.lexicon.read_text(encoding="utf-8")
        (args.out / "lexicon.txt").write_text(completed(lexicon, labels, pronouncer), encoding="utf-8")
    print(f"{len(labels)} pieces kept in {args.out}; seconds left out: {dict(why.most_common())}")


def main() -> int:
    """Read the command line, label, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("audio", type=Path, nargs="+", help="recordings, or folders of them")
    parser.add_argument("--out", type=Path, default=Path("work/taught"))
    parser.add_argument("--model", default="base", help="tiny.en, base or a folder of faster-whisper")
    parser.add_argument("--second", help="another model; labels on which they differ are left out")
    parser.add_argument(
        "--cache", type=Path, default=Path("work/peers"), help="where a model is put together"
    )
    parser.add_argument(
        "--least-logprob", type=float, default=_LEAST_LOGPROB, help="of the teacher's tokens, on average"
    )
    parser.add_argument(
        "--apart", type=float, default=_APART, help="share of words that the second may say otherwise"
    )
    parser.add_argument("--without", type=Path, help="table of the speech to test on: leave out what it says")
    parser.add_argument("--lexicon", type=Path, help="to write anew with the labels' words")
    parser.add_argument(
        "--pronouncer",
        type=Path,
        default=Path("models/edgeasr-en/g2p.npz"),
        help="guesses their pronunciations",
    )
    parser.add_argument("--speaker", default="taught/unknown")
    parser.add_argument("--licence", default="own", help="under which the recordings may be used")
    try:
        teach(parser.parse_args())
    except EdgeasrError as error:
        print(f"teach: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
