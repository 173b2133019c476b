"""Put a model bundle together.

python -m tools.package --checkpoint work/model/best.pt --encoder work/encoder.tflite --lm work/lm
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import lzma
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.bundle import FORMAT, Bundle, write_checksums
from edgeasr.decoder import Lexicon
from edgeasr.encoder import open_encoder
from edgeasr.frontend import LogMelConfig
from tools.acoustic.quantise import load

if TYPE_CHECKING:
    from collections.abc import Mapping

_COPIED = {"tokens": "tokens.txt", "lm": "lm.bin", "g2p": "g2p.npz", "rescorer": "rescorer.npz"}
_LEXICON = "lexicon.txt"
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20}]  # little memory to read it
_PACKED_TEXT = "lexicon.txt.xz"  # a third of its size; the daemon reads it for the user's words alone


def to_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Flat tables as TOML; JSON's notation of strings, numbers and lists is TOML's too."""
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def manifest(args: argparse.Namespace, files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Tables of model.toml."""
    _, network, normaliser = load(args.checkpoint)
    features = LogMelConfig(mels=network.mels)
    encoder = {
        "file": "encoder.tflite",
        "hop_frames": args.hop,
        "stride": network.stride,
        "lookahead_frames": network.lookahead_frames,
        "units": network.units,
        "states": network.blocks + 2,
    }
    if args.edgetpu:
        encoder["edgetpu_file"] = "encoder_edgetpu.tflite"
    return {
        "model": {
            "format": FORMAT,
            "name": args.out.name,
            "version": args.version,
            "language": "en",
            "description": f"English: phones, lexicon, n-gram language model; {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        },
        "features": {
            "mels": features.mels, "low_hz": features.low_hz, "high_hz": features.high_hz, "floor": features.floor,
        },
        "normaliser": {
            "prior_mean": list(normaliser.prior_mean),
            "scale": list(normaliser.scale),
            "prior_frames": normaliser.prior_frames,
            "memory_frames": normaliser.memory_frames,
        },
        "encoder": encoder,
        "decoder": {
            **files,
            "lm_weight": args.lm_weight,
            "word_score": args.word_score,
            "blank_penalty": args.blank_penalty,
            "rescorer_share": args.rescorer_share,
            "goes_on": args.goes_on,
        },
        "confidence": json.loads(args.confidence.read_text()) if args.confidence else {},
        "results": json.loads(args.results.read_text()) if args.results else {},
    }  # fmt: skip


def main() -> None:
    """Copy the parts, write manifest and checksums, and open the result as the daemon would."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/model/best.pt"))
    parser.add_argument("--encoder", type=Path, default=Path("work/encoder.tflite"))
    parser.add_argument("--edgetpu", type=Path, help="the graph compiled for the Edge TPU, if there is one")
    parser.add_argument(
        "--lm", type=Path, default=Path("work/lm"), help="folder with tokens, lexicon, lm.bin, g2p, rescorer"
    )
    parser.add_argument("--card", type=Path, help="model card to copy, with the plot that lies beside it")
    parser.add_argument("--confidence", type=Path, help="JSON with fitted confidence coefficients")
    parser.add_argument("--tuned", type=Path, help="JSON of `tools.tune`, for the decoder's parameters")
    parser.add_argument("--results", type=Path, help="JSON with measured results")
    parser.add_argument("--out", type=Path, default=Path("models/edgeasr-en"))
    parser.add_argument("--version", default="1")
    parser.add_argument("--hop", type=int, default=9)
    parser.add_argument("--lm-weight", type=float, default=2.0)
    parser.add_argument("--word-score", type=float, default=0.0)
    parser.add_argument("--blank-penalty", type=float, default=0.0)
    parser.add_argument("--rescorer-share", type=float, default=0.5)
    parser.add_argument("--goes-on", type=float, default=0.1, help="see `SearchOptions`")
    args = parser.parse_args()
    if args.tuned:
        best = json.loads(args.tuned.read_text(encoding="utf-8"))["best"]
        args.lm_weight, args.word_score = best["lm_weight"], best["word_score"]
        args.blank_penalty, args.rescorer_share = best["blank_penalty"], best["rescorer_share"]
        args.goes_on = best["goes_on"]
    args.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(args.encoder, args.out / "encoder.tflite")
    if args.edgetpu:
        shutil.copyfile(args.edgetpu, args.out / "encoder_edgetpu.tflite")
    files = {}
    for key, name in _COPIED.items():
        if (args.lm / name).exists():
            shutil.copyfile(args.lm / name, args.out / name)
            files[key] = name
    entries = (args.lm / _LEXICON).read_text(encoding="utf-8")
    lexicon = Lexicon.of((args.out / "tokens.txt").read_text(encoding="utf-8").split(), entries.splitlines())
    (args.out / "lexicon.bin").write_bytes(lexicon.data.tobytes())
    (args.out / _PACKED_TEXT).write_bytes(lzma.compress(entries.encode(), filters=_FILTERS))
    files["lexicon"] = _PACKED_TEXT
    files["packed_lexicon"] = "lexicon.bin"
    if args.card:
        shutil.copyfile(args.card, args.out / "MODEL_CARD.md")
        drawn = args.card.with_name("calibration.png")
        if drawn.exists():
            shutil.copyfile(drawn, args.out / drawn.name)
    (args.out / "model.toml").write_text(to_toml(manifest(args, files)), encoding="utf-8")
    write_checksums(args.out)
    bundle = Bundle.open(args.out, verify=True)
    open_encoder(bundle, "cpu").close()
    size = sum(path.stat().st_size for path in args.out.iterdir())
    print(f"{args.out}: {size / 1e6:.1f} MB, {bundle.manifest.label}")


if __name__ == "__main__":
    main()
