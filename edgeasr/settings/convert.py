"""One value, from TOML or from text, to the type and range its field asks for."""

from __future__ import annotations

import math
import tomllib
import types
import typing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.errors import ConfigError

if TYPE_CHECKING:
    from edgeasr.settings._rule import Leaf

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class _WrongTypeError(Exception):
    """The value cannot become the type."""


def from_toml(leaf: Leaf, value: object, origin: str) -> object:
    """Return a TOML or Python value as the leaf's type; ConfigError names origin, key and what it must be."""
    if leaf.rule.convert is not None:
        return _own(leaf, value, origin)
    kind, _ = _plain(leaf.type)
    try:
        converted = _typed(kind, value)
    except _WrongTypeError:
        raise _error(leaf, value, origin) from None
    return _ranged(leaf, converted, value, origin)


def from_text(leaf: Leaf, text: str, origin: str) -> object:
    """Return the text of an environment variable or flag as the leaf's type; empty unsets what may be."""
    if leaf.rule.convert is not None:
        return _own(leaf, _listed(leaf, text, origin), origin)
    kind, optional = _plain(leaf.type)
    if optional and not text:
        return None
    try:
        converted = _parsed(kind, text)
    except (_WrongTypeError, ValueError):
        raise _error(leaf, text, origin) from None
    return _ranged(leaf, converted, text, origin)


def _own(leaf: Leaf, value: object, origin: str) -> object:
    assert leaf.rule.convert is not None  # noqa: S101 - the callers have looked
    try:
        return leaf.rule.convert(value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {leaf.name}: {error}") from None


def _listed(leaf: Leaf, text: str, origin: str) -> object:
    """Return a list from text: TOML's in brackets, else parts between commas."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        raise ConfigError(
            f"{origin}: {leaf.name} = {_shown(text)} is no list in TOML; correct it there"
        ) from None


def _plain(kind: Any) -> tuple[Any, bool]:
    """Return the type without None, and whether None was in it."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        members = [member for member in typing.get_args(kind) if member is not types.NoneType]
        return members[0], True
    return kind, False


def _typed(kind: Any, value: object) -> object:
    if typing.get_origin(kind) is tuple:
        member = typing.get_args(kind)[0]
        if not isinstance(value, list | tuple):
            raise _WrongTypeError
        return tuple(_typed(member, item) for item in value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    if kind is Path and isinstance(value, str | Path) and str(value) and "\0" not in str(value):
        return Path(_encodable(str(value)))
    if kind is str and isinstance(value, str) and not isinstance(value, Enum):
        return _encodable(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(kind, value)
    if type(value) is kind and kind is not float:
        return value
    raise _WrongTypeError


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise _WrongTypeError from None
    if not math.isfinite(number):
        raise _WrongTypeError
    return number


def _encodable(text: str) -> str:
    """Refuse what neither a file name nor an MQTT packet in UTF-8 could carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _WrongTypeError from None
    return text


def _member(kind: type[Enum], value: object) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise _WrongTypeError from None


def _parsed(kind: Any, text: str) -> object:
    if typing.get_origin(kind) is tuple:
        if text.lstrip().startswith("["):
            return _typed(kind, tomllib.loads(f"value = {text}")["value"])
        return _typed(kind, [part.strip() for part in text.split(",") if part.strip()])
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise _WrongTypeError
        return text.lower() in _TRUE
    if kind is int:
        return int(text)
    if kind is float:
        return _finite(float(text))
    return _typed(kind, text)


def _ranged(leaf: Leaf, converted: object, given: object, origin: str) -> object:
    rule = leaf.rule
    if isinstance(converted, int | float) and not isinstance(converted, bool):
        low = -math.inf if rule.low is None else rule.low
        high = math.inf if rule.high is None else rule.high
        if not low <= converted <= high:
            raise _error(leaf, given, origin)
    if rule.check is not None and isinstance(converted, str):
        fault = rule.check(converted)
        if fault:
            raise ConfigError(f"{origin}: {leaf.name} = {_shown(given)} {fault}; correct it there")
    return converted


def _error(leaf: Leaf, given: object, origin: str) -> ConfigError:
    return ConfigError(f"{origin}: {leaf.name} = {_shown(given)} must be {_wanted(leaf)}; correct it there")


def _shown(value: object) -> str:
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _wanted(leaf: Leaf) -> str:
    kind, _ = _plain(leaf.type)
    if typing.get_origin(kind) is tuple:
        return "a list of paths"
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = [str(member.value) for member in kind]
        return f"{', '.join(choices[:-1])} or {choices[-1]}"
    name = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}[
        kind
    ]
    if leaf.rule.low is not None and leaf.rule.high is not None:
        return f"{name} from {leaf.rule.low:g} to {leaf.rule.high:g}"
    return name
