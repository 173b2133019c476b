from __future__ import annotations

import json

import pytest

from edgeasr.transcript import EventWord, ExportFormat, Formatter, Transcript, Utterance, export


def spoken(
    text: str, start: float = 0.0, pace: float = 0.4, pauses: dict[int, float] | None = None
) -> Utterance:
    words = []
    for index, word in enumerate(text.split()):
        start += (pauses or {}).get(index, 0.0)
        words.append(EventWord(word, start, start + pace - 0.05, 0.9))
        start += pace
    return Utterance(Formatter().format(text.split()), tuple(words))


def transcript(*utterances: Utterance) -> Transcript:
    return Transcript("a.wav", utterances, 12.34567, 0.51234)


def test_text_has_one_utterance_a_line() -> None:
    assert export(
        transcript(spoken("hello comma you"), spoken("twenty")), ExportFormat.TEXT
    ) == "Hello,you\n20\n".replace(",y", ", y")


def test_jsonl_is_one_line_with_the_contracts_keys() -> None:
    line = export(transcript(spoken("hello comma you"), spoken("is it ten", 5.0)), ExportFormat.JSONL)
    assert line.count("\n") == 1
    value = json.loads(line)
    assert list(value) == ["file", "text", "raw", "words", "audio_seconds", "cpu_seconds"]
    assert value["text"] == "Hello, you\nIs it 10"
    assert value["raw"] == "hello comma you is it ten"
    assert value["words"][3] == {"word": "is", "start": 5.0, "end": 5.35, "confidence": 0.9}
    assert value["audio_seconds"] == 12.346


def test_json_lists_utterances() -> None:
    value = json.loads(export(transcript(spoken("hello"), spoken("you", 5.0)), ExportFormat.JSON))
    assert [(u["text"], u["start"], u["end"]) for u in value["utterances"]] == [
        ("Hello", 0, 0.35),
        ("You", 5, 5.35),
    ]


def test_srt_and_vtt_of_a_short_text() -> None:
    both = transcript(spoken("is one < two question mark", 1.0), spoken("yes", 3661.5))
    assert export(both, ExportFormat.SRT) == (
        "1\n00:00:01,000 --> 00:00:03,350\nIs one < two?\n\n2\n01:01:01,500 --> 01:01:02,300\nYes\n"
    )
    assert export(both, ExportFormat.VTT) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:03.350\nIs one &lt; two?\n\n01:01:01.500 --> 01:01:02.300\nYes\n"
    )


def test_long_speech_is_cut_into_readable_cues() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs away into the dark green forest comma " * 6
    srt = export(transcript(spoken(text, pace=0.25)), ExportFormat.SRT)
    blocks = [block.split("\n") for block in srt.strip().split("\n\n")]
    assert len(blocks) > 5
    for block in blocks:
        assert len(block) <= 4
        assert all(len(line) <= 42 for line in block[2:])
    assert " ".join(" ".join(block[2:]) for block in blocks).count("forest,") == 6
    times = [stamp for block in blocks for stamp in block[1].split(" --> ")]
    assert times == sorted(times)


def test_a_pause_begins_a_new_cue_and_marks_stay_with_their_word() -> None:
    srt = export(transcript(spoken("wait comma now go", pauses={1: 2.0, 2: 2.0})), ExportFormat.SRT)
    assert [block.split("\n")[2] for block in srt.strip().split("\n\n")] == ["Wait,", "now go"]


@pytest.mark.parametrize("form", list(ExportFormat))
def test_silence_exports_cleanly(form: ExportFormat) -> None:
    text = export(transcript(), form)
    if form is ExportFormat.JSON:
        assert json.loads(text)["utterances"] == []
    if form is ExportFormat.VTT:
        assert text.startswith("WEBVTT\n")
    if form is ExportFormat.SRT:
        assert text == ""
