"""A small data folder from the whole one: short utterances of each archive, the beginning of each text, some noise.

python -m tools.sample --shared ../shared --out work/data

Its layout is that of the whole one, so every tool runs on it; see `tools.build --small`.
"""

from __future__ import annotations

import argparse
import csv
import io
import lzma
import shutil
import tarfile
from itertools import islice
from pathlib import Path

_SHORT_SECONDS = (1.0, 7.0)


def sample_speech(speech: Path, out: Path, split: str, each: int) -> int:
    """Write a split's table and archives with at most `each` utterances of an archive; returns how many in all."""
    out.mkdir(parents=True, exist_ok=True)
    with (speech / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns = list(reader.fieldnames or [])
        by_tar: dict[str, list[dict[str, str]]] = {}
        for row in reader:
            if _SHORT_SECONDS[0] <= float(row["seconds"]) <= _SHORT_SECONDS[1]:
                by_tar.setdefault(row["tar"], []).append(row)
    kept = [row for rows in by_tar.values() for row in rows[:: max(1, len(rows) // each)][:each]]
    with (out / f"{split}.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, columns, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(kept)
    wanted = {row["id"] for row in kept}
    for tar in by_tar:
        with tarfile.open(speech / tar) as whole, tarfile.open(out / tar, "w") as part:
            for member in whole:
                if member.isfile() and Path(member.name).stem in wanted:
                    content = whole.extractfile(member)
                    part.addfile(member, io.BytesIO(content.read() if content else b""))
    return len(kept)


def sample_text(text: Path, out: Path, sentences: int) -> None:
    """Write the first sentences of each text."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(text.glob("*.txt.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as whole, lzma.open(out / path.name, "wt") as part:
            part.writelines(islice(whole, sentences))


def sample_noise(noise: Path, out: Path, each: int) -> None:
    """Copy so many sounds and so many impulse responses, and their table."""
    out.mkdir(parents=True, exist_ok=True)
    head, *lines = (noise / "noise.tsv").read_text(encoding="utf-8").splitlines()
    place = head.split("\t").index("file")
    kept = [
        line
        for suffix in (".opus", ".flac")
        for line in islice((one for one in lines if one.split("\t")[place].endswith(suffix)), each)
    ]
    (out / "noise.tsv").write_text("\n".join([head, *kept, ""]), encoding="utf-8")
    for line in kept:
        shutil.copyfile(noise / line.split("\t")[place], out / line.split("\t")[place])


def main() -> None:
    """Write the small folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("work/data"))
    parser.add_argument("--train", type=int, default=10, help="training utterances of an archive, at most")
    parser.add_argument("--dev", type=int, default=4, help="dev utterances of an archive, at most")
    parser.add_argument("--sentences", type=int, default=3000, help="of each text")
    parser.add_argument("--sounds", type=int, default=12, help="and as many impulse responses")
    args = parser.parse_args()
    train = sample_speech(args.shared / "speech", args.out / "speech", "train", args.train)
    dev = sample_speech(args.shared / "speech", args.out / "speech", "dev", args.dev)
    sample_text(args.shared / "text", args.out / "text", args.sentences)
    sample_noise(args.shared / "noise", args.out / "noise", args.sounds)
    print(f"{train} utterances to train on, {dev} to evaluate")


if __name__ == "__main__":
    main()
