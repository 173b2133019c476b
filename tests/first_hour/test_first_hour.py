"""The README's lines as they stand, in a bare Debian, as root and as an ordinary user: `make test-first-hour`."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
import soundfile

from edgeasr.demo import recordings

from .root import PROJECT, USER, Result, Root

if TYPE_CHECKING:
    from collections.abc import Iterator

if os.geteuid() != 0:
    pytest.skip("this makes Debian roots, which takes root", allow_module_level=True)

SAID: Final = "Good morning it is time to get up the coffee is ready and breakfast is on the table"
# PortAudio's default microphone, played from a file by ALSA itself.
ASOUND: Final = """\
pcm.!default {
    type file
    slave.pcm "null"
    file "/dev/null"
    infile "/srv/speech.raw"
    format "raw"
}
"""
BROKER: Final = "mosquitto -p 1883 >/tmp/broker.log 2>&1 & sleep 1\n"


def lines() -> list[str]:
    """Return the block of the README, a command each, without its comments."""
    text = (PROJECT / "README.md").read_text()
    block = re.search(r"<!-- first hour -->\n```sh\n(.*?)```\n<!-- end of first hour -->", text, re.DOTALL)
    assert block is not None
    found = [re.sub(r"\s{2,}#.*", "", line).strip() for line in block[1].splitlines()]
    return [line for line in found if line]


LINES: Final = lines()
PATH: Final = next(line for line in LINES if line.startswith("export PATH="))
INSTALL: Final = LINES[: LINES.index(PATH)]
COMMANDS: Final = LINES[LINES.index(PATH) + 1 :]


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def root(request: pytest.FixtureRequest) -> Iterator[Root]:
    made = Root(request.param)
    yield made
    if not request.session.testsfailed:
        shutil.rmtree(made.folder)


@pytest.fixture(scope="module", params=[USER, "root"])
def user(request: pytest.FixtureRequest, root: Root) -> str:
    """Return a user for whom the README's lines have installed it."""
    name: str = request.param
    # Each user's lines begin in a bare system; only what apt has fetched is there the second time.
    done = root.run("set -ex\n" + "\n".join(INSTALL), name, network=True, seconds=1800)
    assert done.code == 0, done
    return name


def command(beginning: str) -> str:
    """Return the README's line that begins so."""
    (line,) = [line for line in COMMANDS if line.startswith(beginning)]
    return line


def run(root: Root, user: str, script: str, seconds: float = 300) -> Result:
    return root.run(f"{PATH}\n{script}", user, seconds=seconds)


def quiet(root: Root) -> None:
    (root.folder / "etc/asound.conf").unlink(missing_ok=True)


def speak(root: Root) -> None:
    """Give the machine a microphone that hears a sentence."""
    samples, rate = soundfile.read(recordings()[0].path, dtype="int16")
    silence = np.zeros(rate * 40, dtype=np.int16)
    np.concatenate([silence[:8000], samples, silence]).tofile(root.folder / "srv/speech.raw")
    root.write("/etc/asound.conf", ASOUND)


def test_the_model_is_found(root: Root, user: str) -> None:
    done = run(root, user, "edgeasr models list && edgeasr models verify")
    assert done.code == 0, done
    assert "an installed package" in done.out
    assert "is good: edgeasr-en-" in done.out


def test_listen_and_devices_say_in_one_sentence_that_there_is_no_microphone(root: Root, user: str) -> None:
    quiet(root)
    for line in (command("edgeasr devices"), command("edgeasr listen")):
        done = run(root, user, line)
        assert done.code == 1, done
        assert done.out.startswith("edgeasr: there is no microphone: plug one in"), done
        assert done.out.count("\n") == 1, done


def test_run_says_that_there_is_no_microphone_and_ends(root: Root, user: str) -> None:
    quiet(root)
    done = run(root, user, command("edgeasr run"))
    assert done.code == 1, done
    assert "edgeasr: there is no microphone" in done.out.splitlines()[-1]
    assert "Traceback" not in done.out


def test_listen_hears_what_is_said(root: Root, user: str) -> None:
    speak(root)
    done = run(root, user, f"timeout -s INT 60 {command('edgeasr listen')} | head -1")
    assert SAID in done.out, done


def test_run_publishes_and_tail_shows_it(root: Root, user: str) -> None:
    assert root.run("apt-get install --yes mosquitto >/dev/null 2>&1", network=True).code == 0
    speak(root)
    tail = command("edgeasr tail")
    done = run(
        root,
        user,
        f"{BROKER}{command('edgeasr run')} >/tmp/run.log 2>&1 & timeout 90 {tail} --count 1; cat /tmp/run.log",
    )
    assert SAID in done.out, done
    state = "/var/lib/edgeasr" if user == "root" else f"/home/{user}/.local/state/edgeasr"
    assert (root.folder / state.lstrip("/") / "outbox.sqlite").exists()
    assert "connected to MQTT broker broker.local:1883" in done.out, done
    assert ("the state is kept in" in done.out) == (user != "root"), done
    assert "Traceback" not in done.out


def test_setup_leads_through_without_a_microphone(root: Root, user: str) -> None:
    quiet(root)
    answers = ["", "broker.local"] if user == "root" else ["broker.local"]
    # A terminal, in which somebody types each answer once it is asked for.
    typing = "".join(f"sleep 8; echo {answer!r}; " for answer in answers)
    script = f"{BROKER}({typing} sleep 60) | script -qec '{command('edgeasr setup')}' /dev/null"
    done = run(root, user, script)
    assert "Microphone: there is none" in done.out, done
    assert "Broker: broker.local answers." in done.out, done
    assert "The doctor looks at it all:" in done.out, done
    file = "/etc/edgeasr/edgeasr.toml" if user == "root" else f"/home/{user}/.config/edgeasr/edgeasr.toml"
    assert 'host = "broker.local"' in (root.folder / file.lstrip("/")).read_text()
    assert f'host = "broker.local"  # {file}' in run(root, user, "edgeasr config show").out


def test_transcribe_completion_and_man(root: Root, user: str) -> None:
    folder = root.folder / root.home(user).lstrip("/") / "edgeasr"
    shutil.copy(recordings()[0].path, folder / "talk.flac")
    done = run(root, user, command("edgeasr transcribe"))
    assert done.code == 0, done
    assert "-->" in (folder / "talk.srt").read_text()
    completion = command("eval")
    done = run(
        root,
        user,
        f'{completion}\nCOMP_WORDS=(edgeasr tra); COMP_CWORD=1; _edgeasr; echo "${{COMPREPLY[@]}}"',
    )
    assert done.out == "transcribe\n", done
    assert root.run("apt-get install --yes man-db groff-base >/dev/null 2>&1", network=True).code == 0
    done = run(root, user, f"{command('man')} | head -5")
    assert "streaming English speech recognition" in done.out, done


WAYS: Final = {
    "wheels": """
        cd ~/edgeasr && python3 -m venv build/wheel-venv
        build/wheel-venv/bin/pip wheel --quiet --no-deps --wheel-dir dist . ./models
        python3 -m venv ~/other && ~/other/bin/pip install --quiet dist/*.whl
        cd / && ~/other/bin/edgeasr transcribe --format jsonl /srv/talk.flac""",
    "pipx": """
        sudo apt-get install --yes pipx >/dev/null 2>&1
        cd ~/edgeasr && pipx install . >/dev/null 2>&1 && pipx inject edgeasr ./models >/dev/null 2>&1
        cd / && ~/.local/bin/edgeasr transcribe --format jsonl /srv/talk.flac""",
    "for everybody": """
        sudo python3 -m venv /opt/edgeasr
        cd ~/edgeasr && sudo --preserve-env /opt/edgeasr/bin/pip install --quiet . ./models
        sudo ln -sf /opt/edgeasr/bin/edgeasr /usr/local/bin/edgeasr
        cd / && edgeasr transcribe --format jsonl /srv/talk.flac""",
    "pull": """
        cd ~/edgeasr && python3 -m venv ~/bare && ~/bare/bin/pip install --quiet .
        ~/bare/bin/edgeasr models pull models/edgeasr-en >&2
        cd / && ~/bare/bin/edgeasr transcribe --format jsonl /srv/talk.flac""",
}


@pytest.mark.parametrize("way", WAYS)
def test_other_ways_to_install_it(root: Root, user: str, way: str) -> None:
    if user == "root" or root.folder.name != "bookworm":
        pytest.skip("an ordinary user has less, and the older pip knows less")
    shutil.copy(recordings()[0].path, root.folder / "srv/talk.flac")
    done = root.run(f"set -e\n{WAYS[way]}", user, network=True, seconds=1800)
    assert done.code == 0, done
    heard = json.loads(done.out.splitlines()[-1])
    assert heard["text"] == SAID
