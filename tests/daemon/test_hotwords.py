"""The file that keeps words over restarts, whatever happens to it; and words that are asked for too soon."""

from __future__ import annotations

import json
import stat
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from conftest import wait_for

from edgeasr.daemon.commands import Command, CommandName, ErrorCode, RefusedError
from edgeasr.daemon.control import Request
from edgeasr.daemon.hotwords import Hotwords, Outcome
from edgeasr.daemon.hotwords_file import HotwordsFile
from edgeasr.decoder import Vocabulary
from edgeasr.errors import ConfigError
from edgeasr.settings import UserWord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = (UserWord("anna"), UserWord("kobe", ("K OW B EY",), 1.5))


@dataclass
class SlowEngine:
    """Makes a vocabulary once it may, or fails; remembers what it knows."""

    may: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    unboosted: tuple[str, ...] = ()
    loading: bool = False
    known: Vocabulary | None = None
    asked: list[Sequence[UserWord]] = field(default_factory=list)

    def make_vocabulary(self, told: Sequence[UserWord]) -> Vocabulary:
        self.asked.append(told)
        assert self.may.wait(10)
        if self.error:
            raise self.error
        return Vocabulary(unboosted=self.unboosted)

    def know(self, vocabulary: Vocabulary) -> None:
        self.known = vocabulary


@dataclass
class Desk:
    file: HotwordsFile
    engine: SlowEngine
    hotwords: Hotwords

    def ask(self, *words: UserWord) -> Request:
        request = Request(b"", "", None, "", 0.0)
        self.hotwords.set(request, Command(CommandName.SET_HOTWORDS, "7", words=words))
        return request

    def outcome(self) -> Outcome:
        found: list[Outcome] = []

        def look() -> bool:
            outcome = self.hotwords.attend()
            found.extend([outcome] if outcome else [])
            return bool(found)

        wait_for(look, "the outcome")
        return found[0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    file, engine = HotwordsFile(tmp_path), SlowEngine()
    hotwords: Any = Hotwords(file, engine, ())  # type: ignore[arg-type]
    return Desk(file, engine, hotwords)


def test_words_are_kept_whole_and_for_their_user_only(tmp_path: Path) -> None:
    file = HotwordsFile(tmp_path)
    assert file.load() == ()
    assert file.save(WORDS) is None
    assert HotwordsFile(tmp_path).load() == WORDS
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["hotwords.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b'{"v": 1, "words": [{"word": "an',
        b'{"v": 2, "words": []}',
        b'{"v": 1}',
        b'{"v": 1, "words": [{"word": "Anna"}]}',
        b'{"v": 1, "words": ["a", "a"]}',
        b'{"v": 1, "words": [{"word": "a", "boost": NaN}]}',
        b"[" * 60_000,
        b'{"v": 1, "words": []}' + b" " * (1 << 16),
    ],
)
def test_a_damaged_file_is_left_aside_with_a_line_in_the_log(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = HotwordsFile(tmp_path)
    file.path.write_bytes(content)
    assert file.load() == ()
    assert "is left aside" in caplog.text
    assert file.save(WORDS) is None
    assert file.load() == WORDS


def test_a_disk_that_takes_nothing_keeps_the_old_words_and_is_told_of(desk: Desk) -> None:
    desk.file.save(WORDS)
    desk.file.path.with_name("hotwords.json.new").mkdir()
    desk.engine.may.set()
    desk.ask(UserWord("bob"))
    outcome = desk.outcome()
    assert outcome.fault is None
    assert outcome.result["stored"] is False
    assert desk.engine.known is not None
    assert desk.file.load() == WORDS


def test_speech_goes_on_while_words_are_made_ready_and_others_have_to_wait(desk: Desk) -> None:
    request = desk.ask(*WORDS)
    assert desk.hotwords.attend() is None
    assert desk.engine.known is None
    with pytest.raises(RefusedError, match="still being made ready") as refused:
        desk.ask(UserWord("bob"))
    assert refused.value.code is ErrorCode.BUSY
    desk.engine.may.set()
    outcome = desk.outcome()
    assert outcome.request is request
    assert (outcome.id, outcome.result) == ("7", {"words": 2, "guessed": [], "stored": True})
    assert desk.file.load() == WORDS
    assert desk.hotwords.attend() is None


def test_words_have_to_wait_for_the_model(desk: Desk) -> None:
    desk.engine.loading = True
    with pytest.raises(RefusedError, match="still being loaded"):
        desk.ask(UserWord("bob"))


@pytest.mark.parametrize(
    ("engine", "code", "sentence"),
    [
        ({"error": ConfigError("'xx' cannot be said; spell it")}, ErrorCode.INVALID, "'xx' cannot be said"),
        ({"unboosted": ("kobe",)}, ErrorCode.UNSUPPORTED, "the boost of kobe cannot count"),
    ],
)
def test_words_that_cannot_be_had_leave_those_before_in_force(
    desk: Desk, engine: dict[str, Any], code: ErrorCode, sentence: str
) -> None:
    desk.file.save((UserWord("bob"),))
    for name, value in engine.items():
        setattr(desk.engine, name, value)
    desk.engine.may.set()
    desk.ask(*WORDS)
    fault = desk.outcome().fault
    assert fault is not None
    assert fault.code is code
    assert sentence in str(fault)
    assert desk.engine.known is None
    assert desk.file.load() == (UserWord("bob"),)


def test_a_new_configuration_keeps_the_words_told(desk: Desk) -> None:
    desk.engine.may.set()
    desk.ask(*WORDS)
    desk.outcome()
    before = desk.file.path.stat().st_mtime_ns
    desk.engine.unboosted = ("kobe",)
    desk.hotwords.refresh()
    outcome = desk.outcome()
    assert (outcome.request, outcome.fault) == (None, None)
    assert desk.engine.asked == [WORDS, WORDS]
    assert desk.file.path.stat().st_mtime_ns == before
    assert json.loads(desk.file.path.read_text())["v"] == 1
