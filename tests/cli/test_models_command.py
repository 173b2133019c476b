from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import FORMAT, locate, user_folder, write_checksums

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]


def rename_tensor(folder: Path) -> None:
    graph = (folder / "encoder.tflite").read_bytes()
    name = len("features").to_bytes(4, "little") + b"features\0"
    assert graph.count(name) == 1
    (folder / "encoder.tflite").write_bytes(graph.replace(name, name.replace(b"features", b"featured")))


def replace(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


def swap_unit(folder: Path) -> None:
    replace(folder, "tokens.txt", "\nAA\n", "\nQQ\n")


def drop_unit(folder: Path) -> None:
    replace(folder, "tokens.txt", "\nAA\n", "\n")


def blank_last(folder: Path) -> None:
    units = (folder / "tokens.txt").read_text().split()
    (folder / "tokens.txt").write_text("\n".join([*units[1:], units[0]]) + "\n")


def fewer_states(folder: Path) -> None:
    states = locate(str(folder)).manifest.encoder.states
    replace(folder, "model.toml", f"states = {states}", f"states = {states + 1}")


def cut_graph(folder: Path) -> None:
    graph = (folder / "encoder.tflite").read_bytes()
    (folder / "encoder.tflite").write_bytes(graph[:1000])


def unknown_format(folder: Path) -> None:
    replace(folder, "model.toml", f"format = {FORMAT}", "format = 99")


def no_lm(folder: Path) -> None:
    (folder / locate(str(folder)).manifest.decoder.lm).unlink()


DAMAGES = [
    (rename_tensor, "has no tensor 'features'"),
    (fewer_states, "state tensors where model.toml says"),
    (cut_graph, "is not a graph this TFLite runtime can run"),
    (drop_unit, "units but the encoder has"),
    (swap_unit, "made for units of other names"),
    (blank_last, "must be distinct and begin with <blk>"),
    (unknown_format, "needs another edgeasr"),
    (no_lm, "fetch the bundle again"),
]


def test_a_whole_bundle_is_good_and_listed(edgeasr: Run, copied_bundle: Path) -> None:
    result = edgeasr("models", "verify", copied_bundle)
    assert (result.code, result.out.startswith(f"{copied_bundle} is good: ")) == (0, True)
    search = f"encoder.search={copied_bundle.parent}"
    result = edgeasr("models", "list", "--set", search, "--set", "encoder.bundle=copied")
    assert (result.code, result.err) == (0, "")
    (row,) = [line for line in result.out.splitlines() if str(copied_bundle) in line]
    assert row.startswith("copied")
    assert row.endswith("in use")


@pytest.mark.parametrize(
    "file", ["encoder.tflite", "lexicon.txt.xz", "lexicon.bin", "lm.bin", "rescorer.npz", "model.toml"]
)
def test_a_changed_byte_is_found_and_the_good_bundle_beside_it_reported(
    edgeasr: Run, own_bundle: Callable[..., Path], copied_bundle: Path, file: str
) -> None:
    folder = own_bundle(file)
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    if file == "model.toml":
        data = bytearray((folder / file).read_bytes() + b"\n# a remark\n")
    (folder / file).write_bytes(data)
    result = edgeasr("models", "verify", folder, copied_bundle)
    assert result.code == 1
    assert f"{folder / file} does not match its checksum" in result.sentence
    assert "fetch it again" in result.sentence
    assert f"{copied_bundle} is good" in result.out


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_a_bundle_that_breaks_its_contract_is_refused_with_the_reason(
    edgeasr: Run, own_bundle: Callable[..., Path], damage: Callable[[Path], None], reason: str
) -> None:
    folder = own_bundle("encoder.tflite", "tokens.txt", "model.toml")
    damage(folder)
    write_checksums(folder)
    result = edgeasr("models", "verify", folder)
    assert (result.code, result.out) == (1, "")
    assert reason in result.sentence


@pytest.mark.parametrize(("damage", "reason"), DAMAGES)
def test_transcribe_refuses_it_too(
    edgeasr: Run,
    own_bundle: Callable[..., Path],
    speech: list[Path],
    damage: Callable[[Path], None],
    reason: str,
) -> None:
    folder = own_bundle("encoder.tflite", "tokens.txt", "model.toml")
    damage(folder)
    result = edgeasr("transcribe", speech[0], "--bundle", folder)
    assert (result.code, result.out) == (1, "")
    assert reason in result.sentence


def test_what_is_no_bundle_is_refused(edgeasr: Run, tmp_path: Path) -> None:
    assert "is not a model bundle" in edgeasr("models", "verify", tmp_path / "none").sentence
    assert "model.toml cannot be read" in edgeasr("models", "verify", tmp_path).sentence
    result = edgeasr("models", "verify", "nonesuch")
    assert result.code == 1
    assert "there is no model bundle named 'nonesuch' (installed: " in result.sentence


def test_a_broken_bundle_in_the_list_is_named_beside_the_others(
    edgeasr: Run, own_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    own_bundle(name="good")
    unknown_format(own_bundle("model.toml", name="odd"))
    result = edgeasr("models", "list", "--set", f"encoder.search={tmp_path}")
    assert result.code == 1
    assert "bundle format 99" in result.sentence
    rows = {line.split()[0]: line.split()[1] for line in result.out.splitlines()}
    assert rows["odd"] == "broken"
    assert rows["good"] != "broken"


def test_the_service_is_spoken_of_only_where_it_would_see_what_was_pulled(
    edgeasr: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No service looks into a user's home, so a restart of it would change nothing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("EDGEASR_MODELS", raising=False)
    real = locate("edgeasr-en").path
    own, shared = user_folder(), tmp_path / "shared"
    result = edgeasr("models", "pull", real, "--to", own)
    assert (result.code, result.err) == (0, "")
    assert "is edgeasr-en-" in result.out
    result = edgeasr("models", "pull", real, "--to", shared, "--set", f'encoder.search=["{shared}"]')
    assert (result.code, result.sentence) == (
        0,
        "a service that runs takes it after `sudo systemctl restart edgeasr`",
    )
