"""Names and texts from outside cannot steer a terminal or pass for lines of their own, whatever prints them."""

from __future__ import annotations

import ast
import json
import logging
import os
import pty
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, Mosquitto, wait_for
from fake_machine import TOPICS, House
from fake_pyaudio import FakePyAudio

from edgeasr import cli, settings
from edgeasr.bundle import locate
from edgeasr.cli import devices, main
from edgeasr.cli.console import say, tell
from edgeasr.cli.progress import make_progress
from edgeasr.cli.terminal import Terminal
from edgeasr.daemon.journal import set_up_logging
from edgeasr.daemon.notify import notify
from edgeasr.mqtt import Kind
from edgeasr.printable import escaped, json_text, one_line, printable, quoted
from edgeasr.settings import dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# ESC, its C1 form, DEL, bell, direction marks, zero width, line breaks of all kinds, a half of a pair
SIGNS = "\x1b[2J\x9b31m\x7f\x07\u202e\u2066\u200b\u2028\x85\r\v\udc80"
HOSTILE = f"mic{SIGNS}\n2026-01-01 00:00:00,000 ERROR forged: all is lost"


def steering(text: str) -> list[str]:
    """Return the signs in a text that do not stand for themselves, line feeds aside."""
    return [sign for sign in text if not sign.isprintable() and sign != "\n"]


def test_each_way_of_writing_text_takes_them_out() -> None:
    assert printable("plain é 漢 😀") == "plain é 漢 😀"
    assert printable("a\x1b[2Jb\u202ec") == "a [2Jb c"
    assert printable("a\nb\x1bc", lines=True) == "a\nb c"
    assert one_line(" a\r\nb\u2028c\x9b\n") == "a / b / c "
    assert json.loads(json_text({SIGNS: [SIGNS]}, indent=2)) == {SIGNS: [SIGNS]}
    assert not steering(json_text({SIGNS: [SIGNS]}, indent=2))
    assert json.loads(json_text("\U000e0041")) == "\U000e0041"
    assert escaped("\U000e0041", long=True) == "\\U000e0041"
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))


def test_a_path_in_a_command_that_is_advised_is_one_word() -> None:
    assert quoted("/etc/edgeasr/password") == "/etc/edgeasr/password"
    for name in ("/x; rm -rf ~ #", "/a b", "/$(reboot)", "/`reboot`", "/it's", "-rf", SIGNS):
        (word,) = shlex.split(quoted(name))
        assert word == printable(name, instead="?")


def test_settings_with_such_signs_come_back_from_their_dump() -> None:
    device = "\U000e0041" + SIGNS[:-1]
    text = dump(
        load(files=[], environ={}, values={"audio.device": device}).settings, {"audio.device": HOSTILE}
    )
    assert not steering(text)
    assert len([line for line in text.splitlines() if "forged" in line]) == 1


def test_sentences_on_standard_error_and_lines_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    tell(HOSTILE)
    say(f"{HOSTILE}")
    out, err = capfd.readouterr()
    assert err.count("\n") == 1
    assert not steering(out + err)


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_a_record_of_the_log_is_one_line_and_its_traceback_cannot_pass_for_one(
    root_logger: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    log = set_up_logging(settings.Logging(format=settings.LogFormat.TEXT))
    logging.getLogger("edgeasr").warning("%s", HOSTILE)
    try:
        int(HOSTILE)
    except ValueError:
        logging.getLogger("edgeasr").exception("it failed")
    log.close(PATIENCE)  # a thread of its own writes the lines
    text = capfd.readouterr().err
    assert not steering(text)
    begins = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (WARNING|ERROR) edgeasr: ")
    assert [bool(begins.match(line)) for line in text.splitlines()][:2] == [True, True]
    assert all(line.startswith("    ") for line in text.splitlines()[2:])


def on_a_terminal(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch, stream: str = "stdout") -> str:
    """Return what a piece of work writes to a real terminal."""
    leader, follower = pty.openpty()
    heard = bytearray()

    def listen() -> None:
        while True:
            try:
                heard.extend(os.read(leader, 4096))
            except OSError:  # the other side is closed
                return

    listener = threading.Thread(target=listen)
    listener.start()
    with os.fdopen(follower, "w", encoding="utf-8", errors="backslashreplace") as terminal:
        monkeypatch.setattr(sys, stream, terminal)
        monkeypatch.setenv("TERM", "xterm-256color")
        work()
        terminal.flush()
    listener.join(20)
    os.close(leader)
    return heard.decode()


# What rich itself sends: colours, cursor up and down, erasing, hiding the cursor, columns.
RICH = re.compile(r"\x1b\[(?:[\d;]*m|\d*[ABCDGK]|2K|\?25[lh])")


def test_rich_adds_colours_and_movements_of_its_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        terminal = Terminal()
        terminal.print(f"[bold]{HOSTILE}", markup=True)
        terminal.print(HOSTILE, markup=False)

    shown = on_a_terminal(work, monkeypatch)
    assert "\x1b[1m" in shown
    assert not steering(RICH.sub("", shown).replace("\r\n", "\n"))


def test_names_of_files_in_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        with make_progress(2, quiet=False) as progress:
            progress.begin(f"{SIGNS}.wav\nforged", 60.0)
            progress.at(30.0)

    shown = on_a_terminal(work, monkeypatch, "stderr")
    assert "forged" in shown
    assert not steering(RICH.sub("", shown).replace("\r", ""))


@pytest.mark.parametrize("how", [[], ["--json"], ["terminal"]])
def test_the_name_of_a_microphone(
    how: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = FakePyAudio()
    audio.devices[1] = {**audio.devices[1], "name": f"[red]{HOSTILE} (hw:1,0)"}
    monkeypatch.setattr(devices, "load_pyaudio", lambda: None)
    monkeypatch.setattr(devices, "start_portaudio", lambda _: audio)
    if how == ["terminal"]:
        shown = RICH.sub("", on_a_terminal(lambda: main(["devices"]), monkeypatch)).replace("\r\n", "\n")
    else:
        assert main(["devices", *how]) == 0
        shown = capfd.readouterr().out
    assert "[red]mic" in shown
    assert not steering(shown)
    assert not [line for line in shown.splitlines() if line.startswith("2026")]


def test_the_names_of_models(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / f"evil\x1b[2J\x9b\u202e\n{'x' * 40}"
    shutil.copytree(locate("edgeasr-en").path, folder, copy_function=os.symlink)
    here = ["--set", f"encoder.search={tmp_path}"]
    for argv in (["list", *here], ["verify", str(folder)], ["check-edgetpu", str(folder)]):
        main(["models", *argv])
        out, err = capfd.readouterr()
        assert ("evil" in out + err) == (argv[0] != "check-edgetpu")
        assert not steering(out + err)


@pytest.mark.parametrize("name", ["1\\u001b[2J\\u009b", "x" * 65, "", "a\\nb"])
def test_a_model_whose_name_does_not_fit_into_an_event_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    folder = tmp_path / "evil"
    shutil.copytree(locate("edgeasr-en").path, folder, copy_function=os.symlink)
    manifest = folder / "model.toml"
    text = manifest.read_text()
    for key in ("name", "version"):
        manifest.unlink()
        changed = re.sub(
            rf'^{key} = ".*"', lambda _, key=key: f'{key} = "{name}"', text, count=1, flags=re.MULTILINE
        )
        manifest.write_text(changed)
        assert main(["models", "verify", str(folder)]) == 1
        _, err = capfd.readouterr()
        assert f"model.{key} must be 1 to 64 printable characters" in err
        assert not steering(err)


# Who writes by itself: the two ways there are, help texts of our own, and JSON in ASCII.
WRITERS = {
    "cli/console.py",
    "cli/terminal.py",
    "cli/program.py",
    "cli/lines.py",
    "cli/outbox.py",
    "cli/sink.py",
}


def test_commands_write_in_no_other_way() -> None:
    found = []
    package = Path(cli.__file__).parents[1]
    for path in sorted(
        one for room in ("cli", "demo", "bench", "power") for one in (package / room).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            is_own_text = called == "print" and all(
                isinstance(part, ast.Constant | ast.Name) for part in node.args
            )
            if called in ("print", "Console", "sys.stdout.write", "sys.stderr.write") and not is_own_text:
                found.append(f"{path.relative_to(package)}")
    assert set(found) <= WRITERS


def test_what_systemd_is_told_is_one_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify(f"STATUS=degraded: {HOSTILE}\nMAINPID=1", "READY=1")
        status, ready = channel.recv(4096).decode().split("\n")
    assert ready == "READY=1"
    assert not steering(status)
    assert "forged" in status


def test_the_names_of_files_that_are_transcribed(tmp_path: Path) -> None:
    names = [tmp_path / f"{number}\x1b[2J\x9b31m\n==> forged <==.wav" for number in (1, 2)]
    for name in names:
        name.write_bytes(b"no audio")
    command = [sys.executable, "-m", "edgeasr", "transcribe", *map(str, names)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert not steering(done.stdout + done.stderr)


def test_what_a_broker_says_of_a_device(
    mosquitto: Mosquitto, listen: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    client = listen(mosquitto.port).client
    said = {
        "availability": "online",
        "state": json.dumps({"state": "listening", "why": HOSTILE, SIGNS: 1}, ensure_ascii=True),
        "health": json.dumps({"drops": {HOSTILE: 1}, "temperatures": {SIGNS: SIGNS}, "rtf": 0.5}),
    }
    sent = [
        client.publish(f"edgeasr/kitchen/{topic}", text, qos=1, retain=True) for topic, text in said.items()
    ]
    wait_for(lambda: all(one.is_published() for one in sent), "the broker's acknowledgement")
    for how in ([], ["--json"]):
        argv = ["status", "--host", "127.0.0.1", "--port", str(mosquitto.port), "--device", "kitchen", *how]
        assert main(argv) == 0
        out, _ = capfd.readouterr()
        assert "mic" in out
        assert not steering(out)
        assert not [line for line in out.splitlines() if line.startswith("2026")]
    assert json.loads(out)["state"]["why"] == HOSTILE


def test_a_daemons_log_with_a_hostile_microphone_and_a_hostile_operator(house: House) -> None:
    (house.folder / "name").write_text(HOSTILE, encoding="utf-8", errors="surrogatepass")
    house.plug_microphone()
    house.start()
    house.await_state(("listening", "cpu"))
    name = f"x{HOSTILE.replace(SIGNS[-1], '')}"[:64]
    command = json.dumps({"command": name})
    house.listener.client.publish(TOPICS.of(Kind.COMMAND), command, qos=1)
    house.listener.client.publish(TOPICS.of(Kind.MUTE_SET), name, qos=1)
    wait_for(lambda: len(house.listener.of(TOPICS.of(Kind.RESPONSE))) >= 2, "both answers")
    house.unplug_microphone()
    wait_for(lambda: "microphone_lost" in house.events(), "the loss")
    assert house.stop() == 0
    text = (house.folder / "log").read_text(encoding="utf-8")
    assert "command x" in text
    assert "forged" in text
    assert not steering(text)
    assert all(re.match(r"\d{4}-\d\d-\d\d .* edgeasr", line) for line in text.splitlines()), text
    assert not [line for line in text.splitlines() if line.startswith("2026-01-01")]
