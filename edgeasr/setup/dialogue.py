"""Who answers the questions: a person on the terminal, or the flags alone."""

from __future__ import annotations

import getpass
import sys
from typing import Protocol

from edgeasr.cli.console import say
from edgeasr.errors import UsageError
from edgeasr.printable import printable


class Dialogue(Protocol):
    """Tells, and asks."""

    is_live: bool  # whether somebody is there to look and to answer

    def say(self, text: str = "") -> None:
        """Tell something."""

    def ask(self, question: str, default: str = "") -> str:
        """Return an answer, `default` for none."""

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """Return yes or no."""

    def secret(self, question: str) -> str:
        """Return an answer that is not shown while it is typed."""


class Flags:
    """Asks nobody: every question has its default for an answer."""

    is_live = False

    def say(self, text: str = "") -> None:
        """Print it."""
        if text:
            say(text)

    def ask(self, question: str, default: str = "") -> str:  # noqa: ARG002
        """Return the default."""
        return default

    def confirm(self, question: str, *, default: bool = True) -> bool:  # noqa: ARG002
        """Return the default."""
        return default

    def secret(self, question: str) -> str:  # noqa: ARG002
        """Return nothing."""
        return ""


class Person:
    """Asks on the terminal; UsageError where the answers end (Ctrl-D)."""

    is_live = True

    def say(self, text: str = "") -> None:
        """Print it."""
        say(text)

    def ask(self, question: str, default: str = "") -> str:
        """Ask, with the default in brackets."""
        shown = f"{question} [{printable(default)}]: " if default else f"{question}: "
        try:
            return input(shown).strip() or default
        except EOFError:
            raise _ended() from None

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """Ask until the answer is yes, no or nothing."""
        while True:
            answer = self.ask(f"{question} {'[Y/n]' if default else '[y/N]'}").lower()
            if not answer:
                return default
            if answer in ("y", "yes", "n", "no"):
                return answer.startswith("y")

    def secret(self, question: str) -> str:
        """Ask without showing what is typed."""
        try:
            return getpass.getpass(f"{question}: ")
        except EOFError:
            raise _ended() from None


def make_dialogue(*, yes: bool) -> Dialogue:
    """Return who answers; UsageError where questions are wanted and nobody could answer them."""
    if yes:
        return Flags()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "setup asks on a terminal and there is none; give --yes and flags, see `edgeasr setup --help`"
        )
    return Person()


def _ended() -> UsageError:
    return UsageError("the answers ended, and nothing was written; run `edgeasr setup` again, or with --yes")
