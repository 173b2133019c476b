"""A picture of a command at work, as SVG: `python -m tools.terminal_picture FILE.svg [--lines 1-24,-16] -- COMMAND…`.

The command runs in a pseudo-terminal, so that it colours what it prints. `--lines` keeps some of the lines, counted
from 1, or from the end with a minus; what is left out shows as an ellipsis.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.text import Text

_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def record(command: list[str], columns: int) -> str:
    """Return what a command prints to a terminal of so many columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)  # noqa: S606 - the caller's own command
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    printed = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the terminal's other end is gone
            break
        if not piece:
            break
        printed += piece
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}; there is no picture")
    return printed.decode("utf-8", "replace").replace("\r\n", "\n")


def chosen(lines: list[str], ranges: str) -> list[str]:
    """Return the lines of the ranges, with an ellipsis where some are left out."""
    if not ranges:
        return lines
    kept: list[str] = []
    end = 0
    for part in ranges.split(","):
        first, last = (int(part), len(lines)) if part.startswith("-") else map(int, part.split("-"))
        begin = len(lines) + first if first < 0 else first - 1
        if begin > end and kept:
            kept.append("  …")
        kept += lines[begin:last]
        end = last
    return kept


def main() -> None:
    """Run the command and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--lines", default="", help="ranges such as 1-24,-16")
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--title", help="default: the command")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    lines = chosen(record(args.command, args.columns).rstrip("\n").split("\n"), args.lines)
    console = Console(record=True, width=args.columns, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line.rsplit("\r", 1)[-1]), overflow="crop", no_wrap=True)
    title = args.title or " ".join(args.command)
    args.picture.write_text(console.export_svg(title=title, code_format=_FORMAT, unique_id="terminal"))


if __name__ == "__main__":
    main()
