"""Settings as TOML text, for people and for a file to start from."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.settings._rule import leaves
from edgeasr.settings.sections import Settings
from edgeasr.settings.vocabulary import UserWord

if TYPE_CHECKING:
    from collections.abc import Mapping


def dump(settings: Settings, origins: Mapping[str, str] | None = None, *, explain: bool = False) -> str:
    """Return settings as TOML that `load` reads back; secrets are not among them, only the files they are in.

    With `origins` each line names where its value came from; with `explain` each is preceded by what it
    means. What is unset stands as a comment, since TOML has no word for it.
    """
    lines: list[str] = []
    _section(settings, "", lines, origins or {}, explain=explain)
    return "\n".join(lines).strip() + "\n"


def _section(section: Any, name: str, lines: list[str], origins: Mapping[str, str], *, explain: bool) -> None:
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
        line = f"# {item.name} is unset" if value is None else f"{item.name} = {_literal(value)}"
        lines.append(f"{line}  # {origins[dotted]}" if dotted in origins else line)
    for value, dotted in below:
        _section(value, dotted, lines, origins, explain=explain)


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
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
