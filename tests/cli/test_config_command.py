from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("[decoder]\nbeem = 10\n", "did you mean decoder.beam?"),
        ("[decoders]\nbeam = 10\n", "did you mean decoder?"),
        ("[mqtt]\nprefix = 'a/+/b'\n", "must not contain '+'"),
        ("[decoder]\nbeam = 'wide'\n", "decoder.beam"),
        ("[decoder\n", "is not valid TOML"),
    ],
)
@pytest.mark.parametrize("command", ["check", "show"])
def test_a_wrong_file_is_one_sentence_with_place_and_mend(
    edgeasr: Run, tmp_path: Path, text: str, mend: str, command: str
) -> None:
    file = tmp_path / "edgeasr.toml"
    file.write_text(text)
    result = edgeasr("config", command, "--config", file)
    assert (result.code, result.out) == (2, "")
    assert result.sentence.startswith(f"{file}: ")
    assert mend in result.sentence


def test_check_names_the_layers_and_the_last_one_wins(edgeasr: Run, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[decoder]\nbeam = 10\n[mqtt]\nhost = 'here'\n")
    (tmp_path / "b.toml").write_text("[decoder]\nbeam = 20\n")
    result = edgeasr("config", "check", tmp_path / "a.toml", tmp_path / "b.toml")
    assert (result.code, result.err) == (0, "")
    assert f"1 from {tmp_path / 'a.toml'}" in result.out
    assert f"1 from {tmp_path / 'b.toml'}" in result.out
    shown = edgeasr("config", "show", "--config", tmp_path / "a.toml", "--config", tmp_path / "b.toml")
    assert f"beam = 20  # {tmp_path / 'b.toml'}" in shown.out
    assert 'host = "here"' in shown.out


def test_what_show_explains_is_a_file_to_start_from(edgeasr: Run, tmp_path: Path) -> None:
    result = edgeasr("config", "show", "--explain", "--set", "decoder.beam=33")
    assert "# hypotheses kept a step\nbeam = 33  # command line\n" in result.out
    (tmp_path / "start.toml").write_text(result.out)
    assert edgeasr("config", "check", tmp_path / "start.toml").code == 0


def test_a_missing_file_is_named(edgeasr: Run, tmp_path: Path) -> None:
    result = edgeasr("config", "check", tmp_path / "none.toml")
    assert result.code == 2
    assert "none.toml: there is no such configuration file" in result.sentence


@pytest.mark.parametrize("flag", ["decoder.beem=1", "decoder.beam", "decoder.beam=wide"])
def test_a_wrong_flag_is_one_sentence(edgeasr: Run, flag: str) -> None:
    result = edgeasr("config", "check", "--set", flag)
    assert result.code == 2
    assert result.sentence.startswith("command line: ")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("mqtt.prefix=a b", "must not contain spaces"),
        ("mqtt.prefix=a/#", "must not contain '#'"),
        ("mqtt.prefix=/a", "must not be empty or have an empty level"),
        ("mqtt.prefix=$SYS", "must not start with '$'"),
        ("device.id=a/b", "must not contain '/'"),
        ("device.id=living room", "must not contain spaces"),
        ("device.id=", "must not be empty"),
    ],
)
@pytest.mark.parametrize("command", [["config", "check"], ["tail"], ["run"]])
def test_a_name_that_no_topic_can_have_is_refused_before_anything_starts(
    edgeasr: Run, command: list[str], setting: str, reason: str
) -> None:
    result = edgeasr(*command, "--set", setting)
    assert (result.code, result.out) == (2, "")
    assert reason in result.sentence
