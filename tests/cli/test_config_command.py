from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from edgeasr.settings import load, with_own_state

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
    assert f"{tmp_path / 'a.toml'}: mqtt.host\n" in result.out
    assert f"{tmp_path / 'b.toml'}: decoder.beam\n" in result.out
    shown = edgeasr("config", "show", "--config", tmp_path / "a.toml", "--config", tmp_path / "b.toml")
    assert f"beam = 20  # {tmp_path / 'b.toml'}" in shown.out
    assert 'host = "here"' in shown.out


def test_what_show_explains_is_a_file_to_start_from(edgeasr: Run, tmp_path: Path) -> None:
    result = edgeasr("config", "show", "--explain", "--set", "decoder.beam=33")
    assert "# hypotheses kept a step\nbeam = 33  # command line\n" in result.out
    file = tmp_path / "start.toml"
    file.write_text(result.out)
    assert edgeasr("config", "check", file).code == 0
    loaded = with_own_state(load(files=[file], environ={}))  # where an ordinary user's state is
    assert loaded.given == {"decoder.beam"}, "nothing else is fixed, the device's id least of all"
    file.write_text(re.sub(r"^#(?=\S)", "", result.out, flags=re.MULTILINE))
    taken = load(files=[file], environ={})
    assert len(taken.given) > 60
    assert taken.settings == loaded.settings, "each default that loses its # stays what it was"


BROKEN = """\
[mqtt]
username = "ann"
password_file = "{folder}/password"
[mqtt.tls]
enabled = true
ca = "{folder}/ca.pem"
certificate = "{folder}"
key = "{folder}/key.pem"
[audio]
source = "file"
paths = ["{folder}/a.wav", "{folder}/b.wav"]
[encoder]
bundle = "nonesuch"
search = ["{folder}/bundles"]
[outbox]
path = "{folder}/edgeasr.toml/outbox.sqlite"
[transcripts]
enabled = true
folder = "{folder}/edgeasr.toml"
[health]
prometheus_file = "{folder}/prometheus/edgeasr.prom"
"""


def test_check_finds_every_file_that_is_missing(edgeasr: Run, tmp_path: Path) -> None:
    file = tmp_path / "edgeasr.toml"
    file.write_text(BROKEN.format(folder=tmp_path))
    result = edgeasr("config", "check", file)
    assert (result.code, result.out) == (2, "")
    for sentence in (
        f"mqtt.password_file {tmp_path}/password does not exist; make the file",
        f"mqtt.tls.ca {tmp_path}/ca.pem does not exist; make the file",
        f"mqtt.tls.certificate {tmp_path} is no file",
        f"mqtt.tls.key {tmp_path}/key.pem does not exist",
        f"audio.paths {tmp_path}/a.wav does not exist",
        f"audio.paths {tmp_path}/b.wav does not exist",
        "there is no model bundle named 'nonesuch'",
        f"encoder.search {tmp_path}/bundles does not exist; make the folder",
        f"outbox.path cannot be made: {file} is no folder",
        f"transcripts.folder cannot be made: {file} is no folder",
        f"health.prometheus_file's folder {tmp_path}/prometheus does not exist",
    ):
        assert f"edgeasr: {sentence}" in result.err
    assert len(result.err.splitlines()) == 11


@pytest.mark.parametrize(
    ("content", "argv", "reason"),
    [
        (b"two\nlines\n", ["mqtt.username=ann", "mqtt.password_file={file}"], "must hold one line"),
        (b"\xff\xfe", ["mqtt.username=ann", "mqtt.password_file={file}"], "is not UTF-8"),
        (b"secret\n", ["mqtt.password_file={file}"], "set the user name too"),
        (b"no PEM\n", ["mqtt.tls.ca={file}"], "holds no CA certificate in PEM"),
        (b"no PEM\n", ["mqtt.tls.certificate={file}", "mqtt.tls.key={file}"], "do not belong together"),
    ],
)
def test_check_looks_into_secrets(
    edgeasr: Run, tmp_path: Path, content: bytes, argv: list[str], reason: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    result = edgeasr(
        "config", "check", *(part for text in argv for part in ("--set", text.format(file=file)))
    )
    assert result.code == 2
    assert reason in result.sentence


def test_check_says_what_it_cannot_see(edgeasr: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    argv = ("config", "check", "--set", "mqtt.username=ann", "--set", "mqtt.password_file=mqtt-password")
    result = edgeasr(*argv)
    assert result.code == 0
    assert "not checked: mqtt.password_file = 'mqtt-password' is a systemd credential" in result.out
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "does not exist" in edgeasr(*argv).sentence
    (tmp_path / "mqtt-password").write_text("secret\n")
    assert edgeasr(*argv).code == 0


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("EDGEASR_MQTT_HOST", "EDGEASR__MQTT__HOST"),
        ("EDGEASR_MQTT__HOST", "EDGEASR__MQTT__HOST"),
        ("edgeasr__mqtt__host", "EDGEASR__MQTT__HOST"),
        ("EDGEASR_MQTT_TLS_ENABLED", "EDGEASR__MQTT__TLS__ENABLED"),
        ("EDGEASR_HOST", "EDGEASR__MQTT__HOST"),
        ("EDGEASR_MQTT_PASSWORD", "EDGEASR__MQTT__PASSWORD_FILE"),
        ("EDGEASR_DECODER_BEEM", "EDGEASR__DECODER__BEAM"),
    ],
)
def test_a_variable_with_too_few_underscores_is_not_ignored_in_silence(
    edgeasr: Run, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "x")
    for action in ("check", "show"):
        result = edgeasr("config", action)
        assert result.code == 0
        assert result.sentence == f"warning: {name} is ignored; did you mean {meant}?"


def test_variables_of_others_are_no_concern(edgeasr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGEASR_MODELS", "EDGEASR_VERSION", "EDGEASR", "EDGEASR_HOME_PAGE"):
        monkeypatch.setenv(name, "/nowhere" if name == "EDGEASR_MODELS" else "x")
    assert edgeasr("config", "show").err == ""


def test_a_wrong_variable_is_answered_with_the_right_one(
    edgeasr: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEASR__MQTT_HOST", "x")
    result = edgeasr("config", "show")
    assert result.code == 2
    assert result.sentence.endswith("did you mean EDGEASR__MQTT__HOST?")


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
