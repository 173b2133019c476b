"""A new configuration: what of it can be had at once, and what takes a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.settings import adopt, changed

if TYPE_CHECKING:
    from edgeasr.settings import Settings

_SECTIONS: Final = ("text.", "partials.", "endpoint.", "vocabulary.", "quality.", "transcripts.")
_LIVE: Final = frozenset(
    {
        "vad.hang_over",
        "decoder.beam",
        "decoder.beam_tokens",
        "decoder.beam_threshold",
        "decoder.lm_order",
        "decoder.lm_weight",
        "decoder.alternatives",
        "decoder.word_score",
        "decoder.least_confidence",
        "health.interval",
        "health.prometheus_file",
        "outbox.max_age",
        "outbox.max_bytes",
        "outbox.max_count",
        "tuning.governor",
        "power.saver",
        "power.critical",
        "power.power_off",
        "logging.level",
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """The settings to go on with, and the dotted names of what they take over and what they do not."""

    settings: Settings
    applied: tuple[str, ...]
    restart: tuple[str, ...]


def compare(old: Settings, new: Settings) -> Change:
    """Return what changes from the settings in use to the new ones."""
    names = changed(old, new)
    applied = tuple(name for name in names if name in _LIVE or name.startswith(_SECTIONS))
    restart = tuple(name for name in names if name not in applied)
    return Change(adopt(old, new, applied), applied, restart)
