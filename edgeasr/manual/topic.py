"""A command as its parser describes it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.cli.commands import COMMANDS
from edgeasr.cli.program import parser_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES: Final = ("FILE", "PATH", "NAME|PATH", "FROM", "TSV", "JSON")
_FOLDERS: Final = ("FOLDER", "DIR")
_SETTING: Final = "SECTION.KEY=VALUE"


class Takes(Enum):
    """What stands behind an option, or in place of an argument."""

    NOTHING = "nothing"
    CHOICE = "choice"
    FILE = "file"
    FOLDER = "folder"
    SETTING = "setting"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Option:
    """An option by its names, or an argument, which has none."""

    names: tuple[str, ...]
    takes: Takes
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A command, or one of its actions with the command's name in front; groups of options by their titles."""

    name: str
    summary: str
    usage: str
    description: str
    epilog: str
    groups: tuple[tuple[str, tuple[Option, ...]], ...]
    actions: tuple[Topic, ...] = ()

    @property
    def options(self) -> tuple[Option, ...]:
        """All of them."""
        return tuple(option for _, group in self.groups for option in group)


def topics() -> tuple[Topic, ...]:
    """Return all commands, in the order of `edgeasr --help`; imports every one."""
    return tuple(_topic(parser_of(command), name, command.summary) for name, command in COMMANDS.items())


def _topic(parser: argparse.ArgumentParser, name: str, summary: str) -> Topic:
    groups = []
    actions: list[Topic] = []
    for group in parser._action_groups:  # noqa: SLF001 - argparse has no public way to its descriptions
        options = []
        for action in group._group_actions:  # noqa: SLF001
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                actions += _actions(action, name)
            else:
                options.append(_option(action))
        if options:
            groups.append((str(group.title), tuple(options)))
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    return Topic(
        name, summary, usage, parser.description or "", parser.epilog or "", tuple(groups), tuple(actions)
    )


def _actions(action: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> Iterator[Topic]:
    helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
    for below, parser in action.choices.items():
        yield _topic(parser, f"{name} {below}", helps.get(below, ""))


def _option(action: argparse.Action) -> Option:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.nargs == 0:
        takes, metavar = Takes.NOTHING, ""
    elif action.choices:
        takes, metavar = Takes.CHOICE, "|".join(map(str, action.choices))
    elif metavar == _SETTING:
        takes = Takes.SETTING
    elif metavar in _FOLDERS:
        takes = Takes.FOLDER
    elif action.type is Path or metavar in _FILES:
        takes = Takes.FILE
    else:
        takes = Takes.TEXT
    text = action.help or ""
    return Option(
        tuple(action.option_strings),
        takes,
        metavar,
        "show this help" if action.dest == "help" else text % vars(action) if "%(" in text else text,
        tuple(map(str, action.choices or ())),
        is_repeated=action.nargs in ("*", "+") or isinstance(action, argparse._AppendAction),  # noqa: SLF001
    )
