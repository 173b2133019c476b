"""Utterances to subtitle cues, and cues to SRT and WebVTT."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.transcript.piece import Piece, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgeasr.transcript.event import EventWord

LINE_WIDTH: Final = 42  # characters; with two lines, the common broadcast rule
_CUE_SECONDS: Final = 6.0
_PAUSE: Final = 0.7  # seconds of silence that begin a new cue
_SHORTEST: Final = 0.8  # seconds a cue stays where the next leaves room
_CLAUSE_ENDS: Final = ".?!…,;:"


@dataclass(frozen=True, slots=True)
class Cue:
    """Text shown from `start` to `end`, seconds; at most two lines."""

    start: float
    end: float
    text: str


def cues(pieces: Sequence[Piece], words: Sequence[EventWord]) -> list[Cue]:
    """Cut one utterance into cues; `words` carry the times of the words that the pieces stand for."""
    groups: list[list[Piece]] = [[]]
    for piece in pieces:
        group = groups[-1]
        if group and _breaks(group, piece, words):
            groups.append([])
        groups[-1].append(piece)
    result: list[Cue] = []
    for group in groups:
        text = " ".join(join(group).split())
        if text:
            result.append(Cue(words[group[0].begin].start, words[group[-1].end - 1].end, _lines(text)))
    return result


def to_srt(all_cues: Iterable[Cue]) -> str:
    """Return a SubRip file."""
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n"
        for number, cue in enumerate(_unhurried(list(all_cues)), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(all_cues: Iterable[Cue], *, note: str | None = None) -> str:
    """Return a WebVTT file; `note` is for whoever reads the file, and is not shown."""
    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{html.escape(cue.text, quote=False)}\n"
        for cue in _unhurried(list(all_cues))
    ]
    remarks = [f"NOTE {' '.join(note.replace('-->', '->').split())}\n"] if note else []
    return "\n".join(["WEBVTT\n", *remarks, *blocks])


def _breaks(group: Sequence[Piece], piece: Piece, words: Sequence[EventWord]) -> bool:
    """Whether a new cue begins before the piece."""
    if piece.tight_left and piece.text.strip():
        return False
    if group[-1].tight_right and group[-1].text.strip():
        return False
    text = join([*group, piece])
    length = len(text)
    if (length > LINE_WIDTH and not _places(text)) or words[piece.end - 1].end - words[
        group[0].begin
    ].start > _CUE_SECONDS:
        return True
    if words[piece.begin].start - words[group[-1].end - 1].end >= _PAUSE:
        return True
    return group[-1].ends_sentence and length > LINE_WIDTH


def _lines(text: str) -> str:
    """Break text that is too long for a line, after a clause if one ends near the middle."""
    if len(text) <= LINE_WIDTH:
        return text
    places = _places(text) or [place for place, character in enumerate(text) if character == " "]
    if not places:
        return text
    best = min(places, key=lambda at: abs(at - len(text) / 2) - 12 * (text[at - 1] in _CLAUSE_ENDS))
    return f"{text[:best]}\n{text[best + 1 :]}"


def _places(text: str) -> list[int]:
    """Spaces that leave lines of at most the allowed width on both sides."""
    longest = LINE_WIDTH
    return [
        at for at, character in enumerate(text) if character == " " and len(text) - at - 1 <= longest >= at
    ]


def _unhurried(all_cues: Sequence[Cue]) -> list[Cue]:
    """Let short cues stand a little longer where the next one leaves room, and none overlap the next."""
    result = []
    for place, cue in enumerate(all_cues):
        end = max(cue.end, cue.start + _SHORTEST)
        if place + 1 < len(all_cues):
            end = min(end, max(all_cues[place + 1].start, cue.start + 0.001))
        result.append(Cue(cue.start, end, cue.text))
    return result


def _clock(seconds: float, point: str) -> str:
    milliseconds = max(round(seconds * 1000), 0)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
