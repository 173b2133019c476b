"""When an utterance is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edgeasr.errors import ConfigError


class EndReason(Enum):
    """Why an utterance ended."""

    NO_SPEECH = "no_speech"
    SILENCE = "silence"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Seconds: without any speech, of silence after speech, and of an utterance at most."""

    no_speech: float = 2.4
    after_speech: float = 0.8
    max_utterance: float = 20.0

    def __post_init__(self) -> None:
        """Refuse rules that could never or would always fire."""
        for name in ("no_speech", "after_speech", "max_utterance"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"endpoint.{name} is {getattr(self, name)} s; give a number above 0")


class Endpointer:
    """Applies the rules to the state of an utterance; keeps no state of its own."""

    def __init__(self, rules: EndpointRules | None = None) -> None:
        self.rules = rules or EndpointRules()

    def check(self, *, elapsed: float, trailing_silence: float, spoken: bool) -> EndReason | None:
        """Return why the utterance ends now, or None.

        `elapsed`: seconds decoded since the utterance began. `trailing_silence`: seconds since the last sign
        of speech. `spoken`: whether there are words yet.
        """
        if elapsed >= self.rules.max_utterance - _SLACK:
            return EndReason.LENGTH
        if spoken and elapsed >= _LATE * self.rules.max_utterance and trailing_silence >= _BREATH:
            return EndReason.LENGTH
        if spoken:
            return EndReason.SILENCE if trailing_silence >= self.rules.after_speech - _SLACK else None
        return EndReason.NO_SPEECH if trailing_silence >= self.rules.no_speech - _SLACK else None


# An utterance that has grown long ends at the next breath, so that the hard limit rarely cuts a word in two.
_LATE = 0.75
_BREATH = 0.3
_SLACK = 1e-6  # times are multiples of a step in floating point; 0.8 s must not wait for the step after
