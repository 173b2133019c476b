"""Synthesise speech from a table, the demo's or a test's: `python -m tools.demo_speech`, on a Debian machine.

The sentences and voices stand in a table with the columns file, voice and text. The synthesiser is a script that
takes lines `voice<TAB>text` and writes one 16 kHz mono file a line with a `manifest.jsonl` beside them; what it
needs: `apt-get install festival festvox-us-slt-hts libhtsengine1`.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOT = Path(__file__).resolve().parents[1]
_TABLE = _ROOT / "edgeasr/demo/speech/speech.tsv"
_SYNTH = _ROOT.parent / "shared/tts/synth.py"
_RATE = 16000
_MARGIN = 0.2  # seconds of quiet left around the speech
_QUIET = 10 ** (-50 / 20)  # of the loudest sample: below this it is not speech any more
_PEAK = 0.3


def trim(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut the quiet before and after the speech down to the margin, and set the peak."""
    level = np.abs(samples)
    loud = np.flatnonzero(level > level.max() * _QUIET)
    margin = round(_MARGIN * _RATE)
    part = samples[max(0, loud[0] - margin) : loud[-1] + margin]
    return part * (_PEAK / level.max())


def spoken(text: str) -> str:
    """Take out the final stop: nothing follows that it could set apart."""
    return text.removesuffix(".")


def main() -> int:
    """Write the table's files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--synth", type=Path, default=_SYNTH, help="synthesiser (default: %(default)s)")
    parser.add_argument(
        "--table", type=Path, default=_TABLE, help="the files go beside it (default: %(default)s)"
    )
    args = parser.parse_args()
    if not args.synth.is_file():
        parser.error(f"there is no synthesiser at {args.synth}; name one with --synth")
    with args.table.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(f"{row['voice']}\t{spoken(row['text'])}\n" for row in rows)
        (Path(folder) / "in.tsv").write_text(lines, encoding="utf-8")
        subprocess.run([sys.executable, args.synth, f"{folder}/in.tsv", folder, "--ext", "wav"], check=True)
        made = [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text().splitlines()]
        if len(made) != len(rows):
            print("demo_speech: the synthesiser failed on a sentence", file=sys.stderr)
            return 1
        for row, item in zip(rows, made, strict=True):
            samples, rate = soundfile.read(item["audio"])
            if rate != _RATE or samples.ndim != 1:
                print(f"demo_speech: {item['audio']} is not {_RATE} Hz mono", file=sys.stderr)
                return 1
            part = trim(samples)
            soundfile.write(args.table.parent / row["file"], part, _RATE, subtype="PCM_16")
            print(f"{row['file']}: {len(part) / _RATE:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
