"""What the recogniser computes, as numbers, to be held against another machine's. Runs where the package is installed.

`probe.py BUNDLE OUT GIVEN FILE…`: for each recording the front end's features, the encoder's log-probabilities of them,
and those of the features in the file GIVEN (`-`: none), which come from the other machine. Prints which kernels do it.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from edgeasr.bundle import locate
from edgeasr.capture import FileSource
from edgeasr.encoder import open_encoder
from edgeasr.frontend import FRAME_SAMPLES, LogMel, Normaliser


def main(name: str, out: str, given: str, *files: str) -> None:
    """Write an archive of arrays: `features N`, `rows N` and `given N` for recording N."""
    bundle = locate(name)
    manifest = bundle.manifest
    hop = manifest.encoder.hop_frames
    encoder = open_encoder(bundle, "cpu")
    operations = [one["op_name"] for one in encoder._interpreter._get_ops_details()]  # noqa: SLF001 - no public way
    print("XNNPACK" if "DELEGATE" in operations else "other kernels")
    found: dict[str, np.ndarray] = {}
    others = None if given == "-" else np.load(given)

    def rows_of(features: np.ndarray) -> np.ndarray:
        encoder.reset()
        return np.concatenate([encoder.step(block).copy() for block in features])

    for number, file in enumerate(files):
        logmel, normaliser = LogMel(manifest.features, max_frames=hop), Normaliser(manifest.normaliser)
        samples, blocks = np.zeros(hop * FRAME_SAMPLES, dtype=np.int16), []
        with closing(FileSource(Path(file))) as source:
            while source.read(samples) == len(samples):
                blocks.append(normaliser.process(logmel.process(samples)).copy())
        features = np.stack(blocks)
        found[f"features {number}"] = features
        found[f"rows {number}"] = rows_of(features)
        if others is not None:
            found[f"given {number}"] = rows_of(others[f"features {number}"])
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
