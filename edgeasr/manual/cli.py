"""`edgeasr completion`: what a shell reads to complete the program's words."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

_DESCRIPTION: Final = """\
Print the completion for a shell. Once read, the Tab key completes commands, options, settings and files."""

_EXAMPLES: Final = """\
examples:
  eval "$(edgeasr completion bash)"          now; in ~/.bashrc for good
  eval "$(edgeasr completion zsh)"           likewise, after compinit in ~/.zshrc
  edgeasr completion bash | sudo tee /usr/share/bash-completion/completions/edgeasr
"""
FILES: Final = {"bash": "edgeasr.bash", "zsh": "_edgeasr"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("shell", choices=FILES, help="which shell")


def main(args: argparse.Namespace) -> int:
    """Print it."""
    file = resources.files("edgeasr.manual") / "files" / FILES[args.shell]
    print(file.read_text(encoding="utf-8"), end="")
    return 0
