"""Transcripts of whole files, in the forms that commands write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from edgeasr.printable import json_text
from edgeasr.transcript.subtitles import Cue, cues, to_srt, to_vtt

if TYPE_CHECKING:
    from edgeasr.transcript.event import EventWord
    from edgeasr.transcript.formatter import Formatted


_REMARK: Final = "[The recording goes on; this transcript does not]"
_LINE: Final = "[incomplete: "  # brackets: nobody can say them
_NOTE: Final = "incomplete: "
_REMARK_SECONDS: Final = 3.0


class ExportFormat(StrEnum):
    """Forms a transcript can be written in."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    SRT = "srt"
    VTT = "vtt"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One final: its text and its words, whose times are seconds from the beginning of the file."""

    formatted: Formatted
    words: tuple[EventWord, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was heard in a file. `incomplete`: why that is not all there was, a sentence; None where it is."""

    file: str
    utterances: tuple[Utterance, ...]
    audio_seconds: float
    cpu_seconds: float
    incomplete: str | None = None

    @property
    def text(self) -> str:
        """Formatted text, one utterance a line."""
        return "\n".join(part for part in (u.formatted.text.strip("\n") for u in self.utterances) if part)

    @property
    def raw(self) -> str:
        """Words as recognised."""
        return " ".join(u.formatted.raw for u in self.utterances if u.formatted.raw)


def export(transcript: Transcript, form: ExportFormat) -> str:
    """Return the transcript in a form, ending in one line break; empty where text or SRT has nothing to show.

    An incomplete one says so: JSON in `incomplete`, WebVTT in a note, text in a last line and SRT, which knows no
    remarks, in a last cue, both in square brackets.
    """
    if form is ExportFormat.TEXT:
        lines = [transcript.text] if transcript.text else []
        if transcript.incomplete:
            lines.append(incomplete_line(transcript.incomplete))
        return "".join(f"{line}\n" for line in lines)
    if form is ExportFormat.JSON:
        return json_text(_object(transcript, utterances=True), indent=2) + "\n"
    if form is ExportFormat.JSONL:
        values = _object(transcript, utterances=False)
        return json_text(values, compact=True) + "\n"
    all_cues: list[Cue] = []
    for utterance in transcript.utterances:
        all_cues += cues(utterance.formatted.pieces, utterance.words)
    if form is ExportFormat.VTT:
        return to_vtt(
            all_cues, note=f"incomplete: {transcript.incomplete}" if transcript.incomplete else None
        )
    if transcript.incomplete:
        end = transcript.audio_seconds
        all_cues.append(Cue(end, end + _REMARK_SECONDS, _REMARK))
    return to_srt(all_cues)


def incomplete_line(reason: str) -> str:
    """Return the last line of an incomplete text."""
    return f"{_LINE}{' '.join(reason.split())}]"


def is_incomplete(text: str) -> bool:
    """Whether an exported transcript, in whatever form, says that it is incomplete."""
    return any(mark in text for mark in (_LINE, f"NOTE {_NOTE}", _REMARK, '"incomplete":'))


def _object(transcript: Transcript, *, utterances: bool) -> dict[str, Any]:
    """Return the object of a transcript: `file, text, raw, words, audio_seconds, cpu_seconds`.

    `incomplete` follows where it is.
    """
    result: dict[str, Any] = {
        "file": transcript.file,
        "text": transcript.text,
        "raw": transcript.raw,
        "words": [_word(word) for utterance in transcript.utterances for word in utterance.words],
        "audio_seconds": round(transcript.audio_seconds, 3),
        "cpu_seconds": round(transcript.cpu_seconds, 4),
    }
    if transcript.incomplete:
        result["incomplete"] = transcript.incomplete
    if utterances:
        result["utterances"] = [
            {
                "text": utterance.formatted.text,
                "raw": utterance.formatted.raw,
                "start": round(utterance.words[0].start, 3),
                "end": round(utterance.words[-1].end, 3),
            }
            for utterance in transcript.utterances
            if utterance.words
        ]
    return result


def _word(word: EventWord) -> dict[str, Any]:
    return {
        key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(word).items()
    }
