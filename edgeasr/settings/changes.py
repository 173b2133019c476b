"""What differs between two settings, and taking over a part of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from edgeasr.settings._rule import leaves
from edgeasr.settings.sections import Settings

if TYPE_CHECKING:
    from collections.abc import Collection


def changed(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the dotted names of the settings whose values differ, in order of declaration."""
    return tuple(name for name in leaves(Settings) if _value(old, name) != _value(new, name))


def adopt(old: Settings, new: Settings, names: Collection[str]) -> Settings:
    """Return the old settings with those named, dotted, taken from the new ones."""
    merged: Settings = _merge(old, new, names, "")
    return merged


def _value(settings: Settings, name: str) -> object:
    return reduce(getattr, name.split("."), settings)


def _merge(old: Any, new: Any, names: Collection[str], above: str) -> Any:
    taken: dict[str, Any] = {}
    for item in fields(old):
        name = f"{above}{item.name}"
        before, after = getattr(old, item.name), getattr(new, item.name)
        if is_dataclass(before):
            taken[item.name] = _merge(before, after, names, f"{name}.")
        elif name in names:
            taken[item.name] = after
    return replace(old, **taken)
