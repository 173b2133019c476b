"""Text from outside made fit for a terminal or a log: broker, devices, file names, models, exceptions."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

_LINE_BREAK: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_BASIC_PLANE: Final = 0xFFFF


def printable(text: object, *, lines: bool = False, instead: str = " ") -> str:
    """Return the text with `instead` for each sign that is none to be seen: controls, escapes, direction marks.

    It is one line, unless `lines` keeps line feeds.
    """
    shown = text if isinstance(text, str) else str(text)
    if shown.isprintable():
        return shown
    return "".join(sign if sign.isprintable() or (lines and sign == "\n") else instead for sign in shown)


def one_line(text: object) -> str:
    """Return the text as one printable line, in which ` / ` stands for each line break inside."""
    return printable(" / ".join(_LINE_BREAK.split(str(text).strip())))


def quoted(path: object) -> str:
    """Return a path as one word of a shell, for a command that somebody is advised to run."""
    return shlex.quote(printable(path, instead="?"))


def json_text(value: object, *, indent: int | None = None, compact: bool = False) -> str:
    """Return JSON in which whatever is none to be seen is escaped, as JSON allows; raises ValueError for NaN."""
    separators = (",", ":") if compact else None
    return escaped(
        json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False)
    )


def escaped(text: str, *, long: bool = False) -> str:
    r"""Return JSON or TOML text with \uXXXX for what is none to be seen, but for line feeds.

    Beyond the basic plane two of them stand for a sign, as in JSON; with `long` one \UXXXXXXXX, as in TOML.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\n" else _escape(sign, long=long) for sign in text)


def _escape(sign: str, *, long: bool) -> str:
    number = ord(sign)
    if number <= _BASIC_PLANE:
        return f"\\u{number:04x}"
    if long:
        return f"\\U{number:08x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
