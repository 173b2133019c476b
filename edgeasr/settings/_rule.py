"""What a setting may be: the rule that stands beside each field of a section."""

from __future__ import annotations

import typing
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
_KEY = "rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """Bounds of one setting; `check` returns what is wrong with a text, or None.

    `convert` takes the place of all: it makes the value out of TOML's, or raises ValueError with a sentence.
    """

    help: str
    low: float | None = None
    high: float | None = None
    check: Callable[[str], str | None] | None = None
    convert: Callable[[object], object] | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting of the whole tree: dotted name, type as annotated, rule and default."""

    name: str
    type: Any
    rule: Rule
    default: object


def setting(  # noqa: PLR0913
    default: T,
    summary: str,
    *,
    low: float | None = None,
    high: float | None = None,
    check: Callable[[str], str | None] | None = None,
    convert: Callable[[object], object] | None = None,
) -> T:
    """Return a dataclass field with its rule; bounds are inclusive."""
    return field(default=default, metadata={_KEY: Rule(summary, low, high, check, convert)})


@cache
def leaves(section: type) -> Mapping[str, Leaf]:
    """Return every setting under a section class by dotted name, in order of declaration."""
    found: dict[str, Leaf] = {}
    hints = typing.get_type_hints(section)
    for item in fields(section):
        kind = hints[item.name]
        if is_dataclass(kind):
            for below in leaves(typing.cast("type", kind)).values():
                name = f"{item.name}.{below.name}"
                found[name] = Leaf(name, below.type, below.rule, below.default)
        else:
            default = None if item.default is MISSING else item.default
            found[item.name] = Leaf(item.name, kind, item.metadata[_KEY], default)
    return MappingProxyType(found)


@cache
def sections(section: type) -> frozenset[str]:
    """Return the dotted names of all sections under a section class."""
    found: set[str] = set()
    for name in leaves(section):
        parts = name.split(".")
        found.update(".".join(parts[:depth]) for depth in range(1, len(parts)))
    return frozenset(found)
