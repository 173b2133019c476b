"""The program `edgeasr`: finds the command, carries it out, turns errors into sentences and exit codes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from edgeasr import __version__
from edgeasr.cli.commands import GROUPS, find
from edgeasr.cli.console import abandon_output, tell
from edgeasr.errors import EdgeasrError, UsageError
from edgeasr.streams import hold_standard_streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeasr.cli.commands import Command
    from edgeasr.cli.parser import Parser

INTERRUPTED: Final = 130  # as a shell reports SIGINT
BROKEN_PIPE: Final = 141  # and SIGPIPE

_HELP = """\
usage: edgeasr COMMAND [ARGUMENT ...]
       edgeasr COMMAND --help

Streaming English speech recognition on this device, published over MQTT. No audio leaves it.

{commands}

Options:
  -h, --help    show this help
  --version     show the version

Examples:
  edgeasr demo                                see it at work
  edgeasr listen                              speak, and read along
  edgeasr transcribe talk.flac -f srt -o talk.srt
  edgeasr tail --host broker.local            what all devices hear, live
  edgeasr config check && sudo systemctl restart edgeasr

Exit status: {status}
"""
EXIT_STATUS: Final = (
    "0 done; 1 something failed; 2 wrong usage or configuration; 3 a transcript is incomplete; "
    "130 interrupted."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own; return its exit code."""
    hold_standard_streams()
    # NumPy reads it when it is imported. Its products here are small, and threads of theirs would run on any core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # A lone surrogate in a file name, or a sign that the terminal lacks, must not end the program;
        # written with a backslash it is still valid inside JSON.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except EdgeasrError as error:
        tell(error)
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        if not _is_output(error):
            raise
        abandon_output()
        if isinstance(error, BrokenPipeError):
            return BROKEN_PIPE
        tell(f"cannot write to standard output ({error.strerror}); free some space or write elsewhere")
        code = 1
    return code


def _run(argv: list[str]) -> int:
    if not argv:
        sys.stderr.write(_help())
        return UsageError.exit_code
    name, *rest = argv
    if name == "help":
        name, *rest = [*rest, "--help"]
    if name in ("-h", "--help"):
        print(_help(), end="")
        return 0
    if name in ("-V", "--version"):
        print(f"edgeasr {__version__}")
        return 0
    if name.startswith("-"):
        raise UsageError(f"the first argument is a command, not {name}; `edgeasr --help` lists them")
    command = find(name)
    parser = parser_of(command)
    try:
        args = parser.arguments(rest)
    except SystemExit as done:  # argparse printed the help
        return int(done.code or 0)
    with _interruptible():
        return command.load().main(args)


def parser_of(command: Command) -> Parser:
    """Return the parser of a command's arguments; imports its module."""
    from edgeasr.cli.parser import Parser  # noqa: PLC0415  argparse and settings are not for `--help`

    summary = f"{command.summary[0].upper()}{command.summary[1:]}."
    parser = Parser(prog=f"edgeasr {command.name}", description=summary)
    command.load().add_arguments(parser)
    return parser


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt meanwhile, where it would end the process (see `edgeasr.__main__`)."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _help() -> str:
    groups = [
        "\n".join([f"{title}:", *(f"  {command.name:<12}  {command.summary}" for command in commands)])
        for title, commands in GROUPS.items()
    ]
    return _HELP.format(commands="\n\n".join(groups), status=EXIT_STATUS)


def _is_output(error: OSError) -> bool:
    """Whether the error is about a stream; whoever writes or reads a file by name says so itself."""
    return error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EDQUOT)
