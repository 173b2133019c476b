from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edgeasr import __version__
from edgeasr.cli import main
from edgeasr.cli.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Result

    Run = Callable[..., Result]


def test_help_lists_every_command(edgeasr: Run) -> None:
    result = edgeasr("--help")
    assert result.code == 0
    for command in COMMANDS.values():
        assert f"  {command.name} " in result.out
        assert command.summary in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(edgeasr: Run, name: str) -> None:
    result = edgeasr(name, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"usage: edgeasr {name}")
    if COMMANDS[name].module.startswith("edgeasr.cli."):
        assert f"\n  edgeasr {name}" in result.out
    assert edgeasr("help", name).out == result.out


def test_version(edgeasr: Run) -> None:
    assert edgeasr("--version").out == f"edgeasr {__version__}\n"


def test_no_command_is_answered_with_the_help_and_a_usage_error(edgeasr: Run) -> None:
    result = edgeasr()
    assert (result.code, result.out) == (2, "")
    assert "transcribe" in result.err


@pytest.mark.parametrize(
    ("argv", "mend"),
    [
        (["transcribee"], "did you mean transcribe?"),
        (["model", "list"], "did you mean models?"),
        (["xyzzy"], "`edgeasr --help` lists them"),
        (["--greedy", "transcribe"], "`edgeasr --help` lists them"),
        (["transcribe", "a.wav", "--formt", "srt"], "did you mean --format?"),
        (["config", "show", "--explian"], "did you mean --explain?"),
        (["transcribe"], "see `edgeasr transcribe --help`"),
        (["transcribe", "a.wav", "-f", "doc"], "choose from"),
        (["transcribe", "a.wav", "--beam", "many"], "invalid int value"),
        (["transcribe", "a.wav", "--beam", "0"], "decoder.beam"),
        (["models"], "ACTION"),
        (["tail", "--count", "0"], "at least 1"),
        (["tail", "stray"], "unexpected argument stray"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(
    edgeasr: Run, argv: list[str], mend: str
) -> None:
    result = edgeasr(*argv)
    assert (result.code, result.out) == (2, "")
    assert mend in result.sentence


def test_help_and_config_need_no_heavy_imports() -> None:
    program = (
        "import sys; from edgeasr.cli import main\n"
        "codes = [main(['--help']), main(['config', 'show']), main(['nope'])]\n"
        "print(codes, sorted({'numpy', 'scipy', 'rich', 'paho'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 2] []"


def test_ctrl_c_ends_quietly_with_130(edgeasr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeasr.cli.config.main", interrupted)
    result = edgeasr("config", "show")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "edgeasr", "config", "show", "--explain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_full_disk_under_standard_output_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "edgeasr", "config", "show"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("edgeasr: cannot write to standard output (No space left on device)")
    assert done.stderr.count("\n") == 1


def test_an_error_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_args: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("edgeasr.cli.config.main", broken)
    with pytest.raises(ZeroDivisionError):
        main(["config", "show"])
