"""What an operator may ask for over MQTT, and what is answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from edgeasr.settings import user_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.settings import UserWord

VERSION: Final = 1
LARGEST: Final = 4096  # bytes of a command

_LONGEST_ID: Final = 64
_LONGEST_SENTENCE: Final = 1024
_LABEL: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class CommandName(StrEnum):
    """Every command of the contract."""

    PING = "ping"
    FLUSH = "flush"
    RELOAD = "reload"
    SET_HOTWORDS = "set_hotwords"
    START_SESSION = "start_session"
    STOP_SESSION = "stop_session"


class ErrorCode(StrEnum):
    """Why a command was not carried out."""

    INVALID = "invalid"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    TIMEOUT = "timeout"
    CONFIG = "config"
    UNSUPPORTED = "unsupported"


class RefusedError(Exception):
    """A command that is not carried out: the sentence says why, `name` and `given_id` as far as they were read."""

    def __init__(
        self, code: ErrorCode, sentence: str, *, name: str | None = None, given_id: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.code, self.name, self.given_id = code, name, given_id


@dataclass(frozen=True, slots=True)
class Command:
    """A valid command; `label` is of a session, `words` are hotwords."""

    name: CommandName
    id: str | None = None
    label: str = ""
    words: tuple[UserWord, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a command, of which `name` and `id` may be unknown."""

    name: str | None
    id: str | None
    error: str | None = None
    code: ErrorCode | None = None
    result: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> str:
        """JSON of the response schema."""
        values: dict[str, object] = {
            "v": VERSION,
            "id": self.id,
            "command": self.name,
            "ok": self.error is None,
            "error": None if self.error is None else self.error[:_LONGEST_SENTENCE],
            "code": self.code,
        }
        if self.result:
            values["result"] = dict(self.result)
        return json.dumps(values, ensure_ascii=False)


def refusal(error: RefusedError) -> Response:
    """Return the answer to a command that is not carried out."""
    return Response(error.name, error.given_id, str(error), error.code)


def parse(payload: bytes) -> Command:
    """Return the command in a payload; RefusedError where it breaks the command schema in any way."""
    if len(payload) > LARGEST:
        raise RefusedError(ErrorCode.TOO_LARGE, f"a command has {LARGEST} bytes at most; send less")
    try:
        value = json.loads(payload.decode(), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError(
            ErrorCode.INVALID, f"a command is a JSON object in UTF-8 ({error}); send one"
        ) from None
    if not isinstance(value, dict):
        raise RefusedError(
            ErrorCode.INVALID, 'a command is a JSON object such as {"command": "ping"}; send one'
        )
    known_id, known_name = _text(value.get("id")), _text(value.get("command"))
    try:
        return _command(value)
    except ValueError as error:
        raise RefusedError(ErrorCode.INVALID, str(error), name=known_name, given_id=known_id) from None


def _command(value: dict[str, Any]) -> Command:
    if "command" not in value:
        raise ValueError(f"'command' is missing; it is one of {', '.join(CommandName)}")
    name = value["command"]
    if not isinstance(name, str) or name not in list(CommandName):
        raise ValueError(f"{_shown(name)} is no command; 'command' is one of {', '.join(CommandName)}")
    if "id" in value and _text(value["id"]) is None:
        raise ValueError(f"'id' must be a text of 1 to {_LONGEST_ID} characters; correct it")
    readers = _FIELDS.get(CommandName(name), {})
    fields: dict[str, Any] = {}
    for key, content in value.items():
        if key in {"id", "command"}:
            continue
        if key not in readers:
            known = ", ".join(["id", "command", *readers])
            raise ValueError(f"{_shown(key)} is no field of {name}; it has {known}")
        fields[key] = readers[key](content)
    if name == CommandName.SET_HOTWORDS and "words" not in value:
        raise ValueError("'words' is missing; give a list, empty for none")
    return Command(CommandName(name), value.get("id"), **fields)


def _label(content: object) -> str:
    if not isinstance(content, str) or not _LABEL.fullmatch(content):
        raise ValueError("'label' must be 1 to 64 letters, digits, '_', '.' or '-'; correct it")
    return content


_FIELDS: Final[Mapping[CommandName, Mapping[str, Callable[[object], object]]]] = {
    CommandName.START_SESSION: {"label": _label},
    CommandName.SET_HOTWORDS: {"words": user_words},
}


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_ID:
        return None
    return value if _is_unicode(value) else None


def _is_unicode(text: str) -> bool:
    """Whether MQTT could carry it: JSON may name halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
