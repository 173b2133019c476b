from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeasr.errors import ConfigError
from edgeasr.settings import (
    AudioSource,
    DecoderMode,
    Mqtt,
    Settings,
    UserWord,
    credentials,
    dump,
    load,
    secret_path,
)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc/edgeasr/conf.d"
    folder.mkdir(parents=True)
    return folder.parent


def refusal(**how: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**{"environ": {}, **how})
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_each_layer_covers_the_one_before_and_is_remembered(etc: Path, tmp_path: Path) -> None:
    (etc / "edgeasr.toml").write_text(
        '[decoder]\nbeam = 60\nbeam_tokens = 11\nmode = "greedy"\n[mqtt]\nport = 1999\n'
    )
    (etc / "conf.d/20.toml").write_text("[decoder]\nbeam = 72\n")
    (etc / "conf.d/10.toml").write_text("[decoder]\nbeam = 71\nbeam_tokens = 12\n")
    environ = {"EDGEASR__MQTT__PORT": "2000", "EDGEASR__MQTT__TLS__ENABLED": "yes", "HOME": "/root"}
    loaded = load(root=tmp_path, environ=environ, flags=["mqtt.port=2001", "audio.paths=a.wav, b.wav"])
    settings, origins = loaded.settings, loaded.origins
    assert (settings.decoder.mode, settings.decoder.beam, settings.decoder.beam_tokens) == (
        DecoderMode.GREEDY,
        72,
        12,
    )
    assert settings.mqtt.port == 2001
    assert settings.mqtt.tls.enabled
    assert settings.audio.paths == (Path("a.wav"), Path("b.wav"))
    assert origins["decoder.beam"] == str(etc / "conf.d/20.toml")
    assert origins["decoder.mode"] == str(etc / "edgeasr.toml")
    assert origins["mqtt.tls.enabled"] == "EDGEASR__MQTT__TLS__ENABLED"
    assert origins["mqtt.port"] == "command line"
    assert origins["endpoint.no_speech"] == "default"


def test_dump_reads_back_as_the_same_settings(tmp_path: Path) -> None:
    flags = [
        "audio.source=file",
        'audio.paths=["a b.wav", "ü\\".wav"]',
        "decoder.lm_weight=1.5",
        "mqtt.username=ann",
    ]
    loaded = load(root=tmp_path, environ={}, flags=flags)
    file = tmp_path / "dumped.toml"
    file.write_text(dump(loaded.settings, loaded.origins, explain=True), encoding="utf-8")
    assert load(root=tmp_path, environ={}, files=[file]).settings == loaded.settings
    assert loaded.settings.audio.source is AudioSource.FILE


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[decoder]\nbeem = 3", ["decoder.beem", "did you mean decoder.beam?"]),
        ("[decoder.beam]\nx = 3", ["decoder.beam", "must be a whole number from 1 to 2000"]),
        ("[dekoder]\nbeam = 3", ["unknown section or key dekoder", "did you mean decoder?"]),
        ("beam = 3", ["did you mean decoder.beam?"]),
        ("[mqtt]\nport = true", ["mqtt.port = True must be a whole number from 1 to 65535"]),
        ("[mqtt]\nport = 0", ["mqtt.port = 0 must be a whole number from 1 to 65535"]),
        ("[mqtt]\nport = '1883'", ["mqtt.port"]),
        ("[mqtt]\nprefix = 'home/+'", ["mqtt.prefix", "must not contain '+'"]),
        ("[mqtt]\nprefix = 'my home'", ["must not contain spaces"]),
        ("[mqtt]\nprefix = '/home'", ["empty level"]),
        ("[mqtt]\nprefix = '$SYS'", ["'$'"]),
        ("[device]\nid = 'a/b'", ["device.id", "must not contain '/'"]),
        ("[device]\nid = 'kitchen#1'", ["must not contain '#'"]),
        ("[mqtt]\nhost = 'mqtt://broker'", ["mqtt.host", "without scheme"]),
        (
            "[mqtt]\nhost = 'broker:1884'",
            ["mqtt.host", "'broker:1884'", "the port goes into the setting port"],
        ),
        ("[mqtt]\nhost = '10.0.0.9:mqtt'", ["mqtt.host", "or after --port"]),
        ("[power]\nhost = 'ups:3493'", ["power.host", "the port goes into the setting port"]),
        ("[mqtt]\npassword = 'hunter2'", ["mqtt.password_file"]),
        ("[endpoint]\nno_speech = nan", ["endpoint.no_speech", "a number from 0.3 to 60"]),
        (
            "[endpoint]\nafter_speech = 9\nmax_utterance = 5",
            ["endpoint.max_utterance", "endpoint.after_speech"],
        ),
        ("[decoder]\nmode = 'viterbi'", ["must be beam or greedy"]),
        ("[audio]\npaths = 'x.wav'", ["a list of paths"]),
        ("[audio]\nsource = 'file'", ["audio.paths"]),
        ("[mqtt]\ntls = true", ["write its keys under [mqtt.tls]"]),
        ("[mqtt.tls]\nkey = '/k'", ["mqtt.tls.certificate"]),
        ("[mqtt]\nreconnect_min = 9\nreconnect_max = 1", ["mqtt.reconnect_max"]),
        ("[decoder\nbeam", ["is not valid TOML", "line 1"]),
        ("[vocabulary]\nwords = 3", ["vocabulary.words", "each of 'words'"]),
        ("[vocabulary]\nwords = ['Anna']", ["'word' must be 1 to 64 letters", "'Anna'"]),
        ("[[vocabulary.words]]\nword = 'anna'\nboost = 11", ["'boost' of 'anna'", "from -10 to 10"]),
        ("[[vocabulary.words]]\nword = 'anna'\npronunciations = ['AE NN']", ["'NN'", "is no phone"]),
        ("[vocabulary]\nwords = ['anna', 'anna']", ["names 'anna' twice"]),
        ("[[vocabulary.word]]\nword = 'anna'", ["vocabulary.word", "did you mean vocabulary.words?"]),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(
    text: str, wanted: list[str], etc: Path, tmp_path: Path
) -> None:
    file = etc / "edgeasr.toml"
    file.write_text(text)
    message = refusal(root=tmp_path)
    assert message.startswith(str(file))
    for part in wanted:
        assert part in message
    assert "hunter2" not in message


def test_words_come_alone_or_with_what_belongs_to_them(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text(
        '[vocabulary]\nwords = ["anna", {word = "kobe", pronunciations = ["K OW1 B EY0"], boost = 1.5}]\n'
    )
    loaded = load(environ={}, files=[file])
    assert loaded.settings.vocabulary.words == (UserWord("anna"), UserWord("kobe", ("K OW B EY",), 1.5))
    again = tmp_path / "again.toml"
    again.write_text(dump(loaded.settings))
    assert load(environ={}, files=[again]).settings == loaded.settings
    for text in ("anna, bob", '["anna", "bob"]', '[{word = "anna"}, "bob"]'):
        settings = load(environ={"EDGEASR__VOCABULARY__WORDS": text}, files=[]).settings
        assert settings.vocabulary.words == (UserWord("anna"), UserWord("bob"))
    assert "EDGEASR__VOCABULARY__WORDS: vocabulary.words" in refusal(
        environ={"EDGEASR__VOCABULARY__WORDS": "anna!"}
    )
    assert "is no list in TOML" in refusal(flags=["vocabulary.words=[anna"])


def test_environment_and_flags_are_named_in_errors() -> None:
    assert "EDGEASR__DECODER__BEEM: unknown key decoder.beem" in refusal(
        environ={"EDGEASR__DECODER__BEEM": "1"}
    )
    assert "'maybe' must be true or false" in refusal(flags=["mqtt.enabled=maybe"])
    assert "section.key=value" in refusal(flags=["mqtt.enabled"])
    assert "did you mean encoder.bundle?" in refusal(values={"encoder.bundel": "x"})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "no such configuration file" in refusal(files=[tmp_path / "absent.toml"])
    assert "cannot be read" in refusal(files=[tmp_path])
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    assert "UTF-8" in refusal(files=[tmp_path / "latin.toml"])


def test_device_id_is_steady_and_does_not_tell_the_machine_id(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    first, again = (load(root=tmp_path, environ={}) for _ in range(2))
    assert first.settings.device.id == again.settings.device.id
    assert first.settings.device.id not in "0123456789abcdef0123456789abcdef"
    assert first.origins["device.id"].endswith("etc/machine-id")
    (tmp_path / "etc/machine-id").write_text("1123456789abcdef0123456789abcdef\n")
    assert load(root=tmp_path, environ={}).settings.device.id != first.settings.device.id
    assert load(root=tmp_path, environ={}, flags=["device.id=kitchen"]).settings.device.id == "kitchen"


def test_without_machine_id_the_host_name_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "my pi+#/1")
    loaded = load(root=tmp_path, environ={})
    assert loaded.settings.device.id == "my-pi---1"
    assert loaded.origins["device.id"] == "host name"


def test_secrets_come_from_files_and_credentials_and_stay_hidden(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    found = credentials(Mqtt(username="ann", password_file=file), {})
    assert (found.username, found.password) == ("ann", "hunter2")
    assert "hunter2" not in repr(found)
    (tmp_path / "mqtt-password").write_text("offered")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    offered = credentials(Mqtt(username="ann"), environ)
    named = credentials(Mqtt(username="ann", password_file=Path("password")), environ)
    assert [offered.password, named.password] == ["offered", "hunter2"]
    assert secret_path(Path("ca.pem"), "mqtt.tls.ca", environ) == tmp_path / "ca.pem"
    assert credentials(Mqtt(), {}).password is None
    assert "hunter2" not in dump(Settings(mqtt=Mqtt(username="ann", password_file=file)))


@pytest.mark.parametrize(
    ("mqtt", "environ", "wanted"),
    [
        (Mqtt(username="ann", password_file=Path("/nonexistent/p")), {}, "cannot be read"),
        (Mqtt(username="ann", password_file=Path("p")), {}, "LoadCredential="),
        (Mqtt(password_file=Path("/nonexistent/p")), {}, "mqtt.username"),
    ],
)
def test_a_missing_secret_is_one_sentence(mqtt: Mqtt, environ: dict[str, str], wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        credentials(mqtt, environ)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.lists(st.integers())
)


@given(name=st.sampled_from(sorted(load(environ={}).origins)), value=_SCALARS)
def test_any_value_is_either_taken_or_cleanly_refused(name: str, value: object) -> None:
    try:
        settings = load(environ={}, files=[], values={name: value}).settings
    except ConfigError:
        return
    tomllib.loads(dump(settings))


@given(name=st.sampled_from(sorted(load(environ={}).origins)), text=st.text(st.characters(), max_size=30))
def test_any_text_of_a_flag_is_either_taken_or_cleanly_refused(name: str, text: str) -> None:
    try:
        settings = load(environ={}, files=[], flags=[f"{name}={text}"]).settings
    except ConfigError:
        return
    tomllib.loads(dump(settings))
