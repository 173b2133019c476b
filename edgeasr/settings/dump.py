"""Settings as TOML text, for people and for a file to start from."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.printable import escaped, one_line
from edgeasr.settings._rule import leaves
from edgeasr.settings.sections import Settings
from edgeasr.settings.vocabulary import UserWord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


def dump(
    settings: Settings,
    origins: Mapping[str, str] | None = None,
    *,
    explain: bool = False,
    given: Collection[str] | None = None,
) -> str:
    """Return settings as TOML that `load` reads back; secrets are not among them, only the files they are in.

    With `origins` each line names where its value came from; with `explain` each is preceded by what it
    means; with `given` all but these names are comments, so that the file fixes nothing that nobody has set.
    What is unset stands as a comment in any case, since TOML has no word for it.
    """
    lines: list[str] = []
    _section(settings, "", lines, partial(_line, origins=origins or {}, given=given), explain=explain)
    return "\n".join(lines).strip() + "\n"


def _section(
    section: Any, name: str, lines: list[str], line: Callable[[str, object], str], *, explain: bool
) -> None:
    if name:
        lines += ["", f"[{name}]"]
    below = []
    for item in fields(section):
        value = getattr(section, item.name)
        dotted = f"{name}.{item.name}" if name else item.name
        if is_dataclass(value):
            below.append((value, dotted))
            continue
        if explain:
            lines.append(f"# {leaves(Settings)[dotted].rule.help}")
        lines.append(line(dotted, value))
    for value, dotted in below:
        _section(value, dotted, lines, line, explain=explain)


def _line(name: str, value: object, *, origins: Mapping[str, str], given: Collection[str] | None) -> str:
    key = name.rpartition(".")[2]
    text = f"# {key} is unset" if value is None else f"{key} = {_literal(value)}"
    if given is not None and name not in given and value is not None:
        text = f"#{text}"  # no space: a value, not a sentence
    return f"{text}  # {one_line(origins[name])}" if name in origins else text


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, UserWord):
        entry = value.entry
        if len(entry) == 1:
            return _literal(value.word)
        return f"{{{', '.join(f'{key} = {_literal(content)}' for key, content in entry.items())}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, str | Path):
        text = value.value if isinstance(value, Enum) else str(value)
        return escaped(json.dumps(text, ensure_ascii=False), long=True)
    return repr(value)
