"""Setup for scripts, what it writes, and where."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Mosquitto, free_port

from edgeasr.demo import recordings
from edgeasr.errors import UsageError
from edgeasr.settings import SYSTEM_FILE, load, user_file
from edgeasr.setup import place as places
from edgeasr.setup.broker import Broker, _meant
from edgeasr.setup.dialogue import Flags
from edgeasr.setup.discovery import can_discover, discover

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]


def test_flags_alone_set_it_up_and_again_change_nothing(
    edgeasr: Run, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    file = tmp_path / "edgeasr.toml"
    argv = (
        "setup",
        "--yes",
        "--write",
        file,
        "--host",
        "127.0.0.1",
        "--port",
        mosquitto.port,
        "--device",
        "USB",
    )
    result = edgeasr(*argv, "--file", recordings()[1].path)
    assert "Broker: 127.0.0.1 answers." in result.out
    assert "    Please turn on the light in the kitchen and" in result.out
    assert "16 of 17 words are right." in result.out or "17 of 17 words are right." in result.out
    assert "The doctor looks at it all:" in result.out
    loaded = load(files=[file], environ={})
    assert loaded.given == {"mqtt.host", "mqtt.port", "audio.device"}
    text = file.read_text()
    again = edgeasr(*argv)
    assert f"Settings: {file} says so already." in again.out
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir() if "toml" in path.name] == ["edgeasr.toml"]


def test_what_was_set_stays_and_the_former_file_is_kept(
    edgeasr: Run, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    file = tmp_path / "edgeasr.toml"
    before = "# mine\n[decoder]\nbeam = 77\n[mqtt]\nhost = 'old'\nport = 8883\n[mqtt.tls]\nenabled = true\n"
    file.write_text(before)
    file.chmod(0o640)
    result = edgeasr("setup", "--yes", "--write", file, "--host", "127.0.0.1", "--port", mosquitto.port)
    assert "and TLS do not get along" in result.out or "Broker:" in result.out
    loaded = load(files=[file], environ={})
    assert loaded.settings.decoder.beam == 77
    assert (loaded.settings.mqtt.host, loaded.settings.mqtt.port) == ("127.0.0.1", mosquitto.port)
    (backup,) = tmp_path.glob("edgeasr.toml.*.bak")
    assert backup.read_text() == before
    assert backup.stat().st_mode & 0o777 == 0o640


def test_a_broker_that_does_not_answer_is_told_and_set_all_the_same(edgeasr: Run, tmp_path: Path) -> None:
    file = tmp_path / "edgeasr.toml"
    result = edgeasr("setup", "--yes", "--write", file, "--host", "127.0.0.1", "--port", free_port())
    assert result.code == 1
    assert "refuses connections" in result.out
    assert load(files=[file], environ={}).settings.mqtt.host == "127.0.0.1"


def test_without_a_broker_or_a_good_file(edgeasr: Run, tmp_path: Path) -> None:
    file = tmp_path / "edgeasr.toml"
    file.write_text("[mqtt\n")
    result = edgeasr("setup", "--yes", "--write", file, "--no-broker")
    assert result.code == 2
    assert "is not valid TOML" in result.sentence
    file.unlink()
    assert "Broker: none." in edgeasr("setup", "--yes", "--write", file, "--no-broker").out
    assert load(files=[file], environ={}).settings.mqtt.enabled is False


def test_the_place_is_the_users_or_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    own = tmp_path / "config/edgeasr/edgeasr.toml"
    found = places.choose_place(Flags(), system=False, user=True, path=None)
    assert (found.path, found.is_system) == (own, False)
    monkeypatch.setattr(places, "may_write", lambda folder: folder != SYSTEM_FILE.parent)
    assert places.choose_place(Flags(), system=False, user=False, path=None).path == own
    with pytest.raises(UsageError, match="sudo edgeasr setup --system"):
        places.choose_place(Flags(), system=True, user=False, path=None)
    monkeypatch.setattr(places, "may_write", lambda _folder: True)
    assert places.choose_place(Flags(), system=False, user=False, path=None).path == SYSTEM_FILE


def test_every_command_reads_the_users_file(
    edgeasr: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = user_file(os.environ)
    assert file == tmp_path / "edgeasr/edgeasr.toml"
    assert file is not None
    file.parent.mkdir()
    file.write_text("[mqtt]\nhost = 'mine'\n")
    assert f'host = "mine"  # {file}' in edgeasr("config", "show").out
    assert 'host = "mine"' not in edgeasr("config", "show", "--config", "/dev/null").out


def test_old_backups_go(tmp_path: Path) -> None:
    file = tmp_path / "edgeasr.toml"
    place = places.Place(file, is_system=False)
    for number in range(15):
        places.write(Flags(), place, {"decoder.beam": 10 + number}, "")
    assert len(list(tmp_path.glob("*.bak"))) == 10
    assert load(files=[file], environ={}).settings.decoder.beam == 24
    places.write(Flags(), place, {"decoder.beam": None}, "")
    assert load(files=[file], environ={}).given == frozenset()


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("2", Broker("second", 8883, tls=True)),
        ("second", Broker("second", 8883, tls=True)),
        ("third", Broker("third", 1883)),
        ("third:8883", Broker("third", 8883, tls=True)),
        ("10.0.0.1:1234", Broker("10.0.0.1", 1234)),
        ("fe80::1", Broker("fe80::1", 1883)),
        ("third:0", None),
        ("third:x", None),
        ("mqtt://third", None),
        ("a b", None),
        ("", None),
    ],
)
def test_what_an_answer_means(answer: str, meant: Broker | None) -> None:
    assert _meant(answer, [Broker("first", 1883), Broker("second", 8883, tls=True)]) == meant


def test_a_broker_that_makes_itself_known_is_found(
    edgeasr: Run, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """By a real query and answer over multicast."""
    if not can_discover():
        pytest.skip("zeroconf is not installed")
    with _announced(mosquitto.port) as host:
        assert Broker(host, mosquitto.port) in discover(1.0)
        file = tmp_path / "edgeasr.toml"
        edgeasr("setup", "--yes", "--write", file)
        settings = load(files=[file], environ={}).settings.mqtt
        assert (settings.host, settings.port) == (host, mosquitto.port)


@contextlib.contextmanager
def _announced(port: int) -> Any:
    import zeroconf  # noqa: PLC0415

    host = f"edgeasr-test-{os.getpid()}.local"
    info = zeroconf.ServiceInfo(
        "_mqtt._tcp.local.",
        f"edgeasr test {os.getpid()}._mqtt._tcp.local.",
        addresses=[socket.inet_aton("127.0.0.1")],
        port=port,
        server=f"{host}.",
    )
    try:
        zc = zeroconf.Zeroconf(ip_version=zeroconf.IPVersion.V4Only)
    except OSError as error:
        pytest.skip(f"this machine has no multicast ({error})")
    try:
        zc.register_service(info)
        yield host
    finally:
        zc.close()
