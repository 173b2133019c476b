"""Decode the speech, noise and impulse responses of a data folder into cached log-mel features.

python -m tools.acoustic.prepare --shared ../shared --out work/features

Writes, for each set (train at three speeds, dev, noise), `SET.npy` (float16[frames, mels], all utterances end to end)
and `SET.tsv` (id, part, first frame, frames, text), and `rooms.npz` (power envelopes of the impulse responses).
"""

from __future__ import annotations

import argparse
import csv
import io
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from rich.progress import Progress

from edgeasr.frontend import FRAME_SAMPLES, SAMPLE_RATE, LogMel
from tools.acoustic.waves import LONGEST_SECONDS, Row, members, read_rows, read_until_fault, to_int16

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPEEDS = (0.9, 1.0, 1.1)


def features(samples: NDArray[np.int16], tail_frames: int = 3) -> NDArray[np.float16]:
    """All log-mel frames of a recording, its last ones padded with silence."""
    whole = -(-len(samples) // FRAME_SAMPLES) + tail_frames
    padded = np.zeros(whole * FRAME_SAMPLES, dtype=np.int16)
    padded[: len(samples)] = samples
    return LogMel(max_frames=whole).process(padded)[: whole - tail_frames + 1].astype(np.float16)


def decode_tar(job: tuple[Path, list[Row], float]) -> list[tuple[Row, NDArray[np.float16]]]:
    """Features of the rows that lie in one tar, at one speed."""
    tar, rows, speed = job
    files = members(tar)
    out = []
    for row in rows:
        audio, rate = soundfile.read(io.BytesIO(files[row.id]), dtype="float32")
        out.append((row, features(to_int16(audio, rate, speed))))
    return out


def write_set(out: Path, name: str, items: list[tuple[Row, NDArray[np.float16]]]) -> None:
    """Write one set's features end to end, and its table."""
    np.save(out / f"{name}.npy", np.concatenate([item[1] for item in items]))
    first = 0
    with (out / f"{name}.tsv").open("w", encoding="utf-8") as file:
        for row, frames in items:
            file.write(f"{row.id}\t{row.part}\t{first}\t{len(frames)}\t{row.text}\n")
            first += len(frames)


def room_envelopes(folder: Path, files: list[str]) -> dict[str, NDArray[np.float32]]:
    """Power of each impulse response by frame and mel band, from its direct path on, summing to one in each band."""
    rooms = {}
    for name in files:
        audio, rate = read_until_fault(folder / name)
        if not len(audio):
            continue
        samples = to_int16(audio / max(1e-9, float(np.abs(audio).max())) * 0.9, rate)
        start = max(0, int(np.abs(samples.astype(np.int32)).argmax()) - FRAME_SAMPLES)
        power = np.exp(features(samples[start : start + SAMPLE_RATE // 2]).astype(np.float32))
        power -= np.minimum(power.min(axis=0), 1e-5)
        rooms[Path(name).stem] = power / np.maximum(power.sum(axis=0), 1e-9)
    return rooms


def prepare_noise(folder: Path, out: Path) -> None:
    """Features of the everyday sounds, and the rooms' envelopes."""
    with (folder / "noise.tsv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    rooms = [row["file"] for row in table if row["file"].endswith(".flac")]
    sounds = []
    for row in table:
        if row["file"].endswith(".opus"):
            audio, rate = read_until_fault(folder / row["file"])
            if len(audio) > SAMPLE_RATE:
                sounds.append((Row(row["file"], "noise", 0.0, row["kind"]), features(to_int16(audio, rate))))
    write_set(out, "noise", sounds)
    np.savez(out / "rooms.npz", **room_envelopes(folder, rooms))


def decodings(folder: Path, split: str, speed: float, limit: int) -> list[tuple[Path, list[Row], float]]:
    """Make jobs for `decode_tar`, up to 400 rows each; `limit`: only so many rows in all, evenly spread, 0 for all."""
    rows = [r for r in read_rows(folder / f"{split}.tsv") if r.seconds <= LONGEST_SECONDS]
    if limit:
        rows = rows[:: max(1, len(rows) // limit)]
    jobs: list[tuple[Path, list[Row], float]] = []
    for tar in sorted({row.tar for row in rows}):
        mine = [row for row in rows if row.tar == tar]
        jobs += [(folder / tar, mine[i : i + 400], speed) for i in range(0, len(mine), 400)]
    return jobs


def main() -> None:
    """Prepare everything that training reads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("work/features"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--speeds", type=float, nargs="*", default=list(SPEEDS))
    parser.add_argument(
        "--also",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="more to train on: what `tools.acoustic.synthetic` or `tools.acoustic.teach` wrote",
    )
    parser.add_argument("--limit", type=int, default=0, help="only so many utterances of each set (0: all)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    speech = args.shared / "speech"
    sets = [("dev", 1.0)] + [("train", speed) for speed in args.speeds]
    prepare_noise(args.shared / "noise", args.out)
    with ProcessPoolExecutor(args.jobs) as pool, Progress() as progress:
        for split, speed in sets:
            folders = [speech, *args.also] if split == "train" else [speech]
            jobs = [job for folder in folders for job in decodings(folder, split, speed, args.limit)]
            name = split if split == "dev" else f"{split}-{speed:g}"
            task = progress.add_task(name, total=len(jobs))
            items = []
            for part in pool.map(decode_tar, jobs):
                items += part
                progress.advance(task)
            write_set(args.out, name, items)


if __name__ == "__main__":
    main()
