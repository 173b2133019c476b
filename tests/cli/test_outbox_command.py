from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from outbox_disk import TOPIC, fill_outbox, ids

from edgeasr import settings
from edgeasr.outbox import DeadLetter, DeadLetters, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An outbox with two finals that were set aside, and one that the disk has damaged."""
    path = tmp_path / "outbox.sqlite"
    fill_outbox(path, ["a", "b", "c"], 10)
    with Outbox(settings.Outbox(path=path)) as outbox:
        for name in "ab":
            outbox.set_aside(name, "the broker takes 10 bytes\x1b[2J")
    DeadLetters(path).add(DeadLetter("d", b"\xff\xfe", b"\xff", 1.0, "damaged", 1.0, is_damaged=True))
    return path


def test_list_shows_what_is_set_aside_and_why(edgeasr: Run, path: Path) -> None:
    shown = edgeasr("outbox", "list", "--set", f"outbox.path={path}")
    assert shown.code == 0
    head, *rows = shown.out.splitlines()
    assert head.split() == ["id", "set", "aside", "bytes", "why"]
    assert [row.split()[0] for row in rows] == ["a", "b", "d"]
    assert "the broker takes 10 bytes" in rows[0]
    assert "\x1b" not in shown.out


def test_nothing_is_set_aside(edgeasr: Run, tmp_path: Path) -> None:
    for action in ("list", "retry"):
        assert edgeasr("outbox", action, "--set", f"outbox.path={tmp_path / 'none'}").code == 0
    assert list(tmp_path.iterdir()) == []


def test_export_is_json_lines_also_of_what_is_no_text(edgeasr: Run, path: Path) -> None:
    shown = edgeasr("outbox", "export", "--set", f"outbox.path={path}")
    values = [json.loads(line) for line in shown.out.splitlines()]
    assert [one["id"] for one in values] == ["a", "b", "d"]
    assert json.loads(values[0]["payload"])["id"] == "a"
    assert values[0]["topic"] == TOPIC
    assert (values[2]["topic_base64"], values[2]["payload_base64"]) == ("//4=", "/w==")
    one = edgeasr("outbox", "export", "b", "--set", f"outbox.path={path}")
    assert [json.loads(line)["id"] for line in one.out.splitlines()] == ["b"]


def test_retry_lets_the_outbox_take_them_back_but_for_damaged_ones(edgeasr: Run, path: Path) -> None:
    assert "once more: 1" in edgeasr("outbox", "retry", "b", "--set", f"outbox.path={path}").out
    assert "to be sent once more" in edgeasr("outbox", "list", "--set", f"outbox.path={path}").out
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == ["c", "b"]
        shown = edgeasr("outbox", "retry", "--set", f"outbox.path={path}")
        assert "once more: 1" in shown.out
        assert "only be exported" in shown.out
        assert ids(outbox) == ["c", "b", "a"]
    assert [one.id for one in DeadLetters(path).letters()] == ["d"]


def test_remove_wants_to_be_told_which(edgeasr: Run, path: Path) -> None:
    assert "or --all" in edgeasr("outbox", "remove", "--set", f"outbox.path={path}").sentence
    assert edgeasr("outbox", "remove", "a", "--set", f"outbox.path={path}").code == 0
    assert [one.id for one in DeadLetters(path).letters()] == ["b", "d"]
    assert edgeasr("outbox", "remove", "--all", "--set", f"outbox.path={path}").code == 0
    assert DeadLetters(path).letters() == []


def test_an_unknown_id_is_one_sentence(edgeasr: Run, path: Path) -> None:
    for action in ("export", "retry", "remove"):
        result = edgeasr("outbox", action, "zzz", "--set", f"outbox.path={path}")
        assert result.code == 2
        assert "no final zzz is set aside" in result.sentence
