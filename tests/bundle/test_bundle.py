"""A bundle that is not what it promises is refused, with the reason."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import FORMAT, Bundle, locate, write_checksums
from edgeasr.encoder import open_encoder
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The default bundle, its large files linked, its small ones free to be damaged."""
    source = locate("edgeasr-en").path
    folder = tmp_path / "edgeasr-en"
    folder.mkdir()
    for path in source.iterdir():
        if path.name in ("model.toml", "tokens.txt", "SHA256SUMS"):
            shutil.copyfile(path, folder / path.name)
        else:
            (folder / path.name).symlink_to(path)
    return folder


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "model.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_default_bundle_is_whole() -> None:
    bundle = locate("edgeasr-en", verify=True)
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= 40_000_000
    assert bundle.file(bundle.manifest.encoder.file).stat().st_size <= 6_500_000
    assert bundle.manifest.encoder.lookahead_frames <= 40


def test_a_changed_file_is_named(copy: Path) -> None:
    edit(copy, 'version = "', 'version = "9')
    with pytest.raises(BundleError, match=r"model\.toml does not match its checksum"):
        Bundle.open(copy, verify=True)


def test_a_file_that_the_sums_do_not_cover_is_named(copy: Path) -> None:
    lines = (copy / "SHA256SUMS").read_text().splitlines(keepends=True)
    (copy / "SHA256SUMS").write_text("".join(line for line in lines if "encoder.tflite" not in line))
    with pytest.raises(BundleError, match=r"does not list encoder\.tflite"):
        Bundle.open(copy, verify=True)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (f"format = {FORMAT}", f"format = {FORMAT - 1}", "needs another edgeasr"),
        (f"format = {FORMAT}", f"format = {FORMAT + 1}", "needs another edgeasr"),
        ("hop_frames = 9", "hop_frames = 10", "not a multiple of stride"),
        ("hop_frames = 9", "hop_frames = true", "must be of type int"),
        ("mels = 64", "mels = 80", "values for 80 mel bands"),
        ("units = 40", "units = 41", "lists 40 units but the encoder has 41"),
        ('file = "encoder.tflite"', 'file = "../encoder.tflite"', "plain file name"),
        ('file = "encoder.tflite"', 'file = "other.tflite"', r"other\.tflite is missing"),
        ("stride = 3", "strid = 3", "unknown key 'strid'"),
        ('packed_lexicon = "lexicon.bin"\n', "", "is incomplete"),
        ('"lexicon.bin"', '"words.bin"', r"words\.bin is missing"),
        ("[encoder]", "[encoder", "not valid TOML"),
        ("stride = 3\n", "", "is incomplete"),
    ],
)
def test_a_manifest_that_breaks_its_contract(copy: Path, old: str, new: str, sentence: str) -> None:
    edit(copy, old, new)
    with pytest.raises(BundleError, match=sentence):
        Bundle.open(copy)


def test_a_graph_with_other_states_than_promised(copy: Path) -> None:
    bundle = Bundle.open(copy)
    edit(copy, f"states = {bundle.manifest.encoder.states}", "states = 3")
    with pytest.raises(BundleError, match=r"state tensors where model\.toml says 3"):
        open_encoder(Bundle.open(copy), "cpu")


def test_a_graph_with_another_hop_than_promised(copy: Path) -> None:
    edit(copy, "hop_frames = 9", "hop_frames = 12")
    with pytest.raises(BundleError, match=r"features have shape \(1, 9, 64, 1\)"):
        open_encoder(Bundle.open(copy), "cpu")


def test_a_graph_that_is_no_graph(copy: Path) -> None:
    (copy / "encoder.tflite").unlink()
    (copy / "encoder.tflite").write_bytes(b"not a flatbuffer" * 100)
    write_checksums(copy)
    with pytest.raises(BundleError, match=r"encoder\.tflite is not a graph"):
        open_encoder(Bundle.open(copy, verify=True), "cpu")


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(BundleError, match=r"installed: .*edgeasr-en"):
        locate("edgeasr-fr")


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        locate(str(tmp_path))
