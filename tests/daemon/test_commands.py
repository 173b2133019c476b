"""Commands: what the schema allows is taken, anything else is refused and nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract import strict
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from edgeasr.daemon.commands import Command, CommandName, ErrorCode, RefusedError, Response, parse, refusal
from edgeasr.settings import UserWord
from edgeasr.transcript import SchemaName

COMMANDS = strict(SchemaName.COMMAND)
RESPONSES = strict(SchemaName.RESPONSE)

TEXTS = st.text(st.characters(codec="ascii", exclude_characters="\n\r"), max_size=70)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats(-12, 12) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=6,
)
WORDS = st.fixed_dictionaries(
    {"word": st.text("ab'", max_size=4)},
    optional={
        "pronunciations": st.lists(
            st.sampled_from(["AE N", "", "AA", "AA1 ZH", "AA  N", "aa", "QQ", "AA9", " AA"]), max_size=3
        ),
        "boost": st.floats(-12, 12) | st.integers(-12, 12) | st.booleans(),
        "other": st.none(),
    },
)
NEARLY = st.fixed_dictionaries(
    {"command": st.sampled_from([*CommandName, "reboot"]) | JSON},
    optional={
        "id": TEXTS | JSON,
        "label": st.sampled_from(["minutes-3", "a b", "x" * 65, ""]) | JSON,
        "words": st.lists(WORDS, max_size=3) | JSON,
    },
)


@effort(max_examples=150, deadline=None)
@given(NEARLY | JSON)
def test_what_is_taken_is_what_the_schema_allows(value: Any) -> None:
    payload = json.dumps(value).encode()
    if COMMANDS.is_valid(value):
        assert parse(payload).id == value.get("id")
        return
    with pytest.raises(RefusedError) as refused:
        parse(payload)
    RESPONSES.validate(json.loads(refusal(refused.value).to_json()))
    assert refused.value.code is ErrorCode.INVALID


@effort(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.sampled_from([b"[" * 3000, b'{"command": NaN}', b'{"id": "\\ud800"}']))
def test_no_bytes_at_all_are_more_than_refused(payload: bytes) -> None:
    try:
        parse(payload)
    except RefusedError as error:
        RESPONSES.validate(json.loads(refusal(error).to_json()))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([{"word": "ab"}] * 257, "at most 256"),
        ([{"word": "a" * 65}], "'word' must be 1 to 64 letters"),
        ([{"word": "'"}], "'word' must be 1 to 64 letters"),
        ([{"word": "zürich"}], "'word' must be 1 to 64 letters"),
        ([{"word": "anna", "pronunciations": ["AA"] * 9}], "at most 8"),
        ([{"word": "anna", "pronunciations": ["AA " * 80 + "AA"]}], "1 to 200 characters"),
        ([{"word": "anna", "pronunciations": ["AE NN AH"]}], "'NN' in a pronunciation of 'anna' is no phone"),
        ([{"word": "anna", "boost": True}], "'boost' of 'anna' must be a number from -10 to 10"),
        ([{"word": "anna", "volume": 3}], "word, pronunciations, boost"),
        (["anna"], "word, pronunciations, boost"),
    ],
)
def test_a_word_that_breaks_the_rules_is_refused_in_one_sentence(words: list[Any], sentence: str) -> None:
    value = {"command": "set_hotwords", "words": words}
    assert not COMMANDS.is_valid(value)
    with pytest.raises(RefusedError, match=sentence):
        parse(json.dumps(value, separators=(",", ":")).encode())


def test_words_come_with_pronunciations_free_of_stress() -> None:
    payload = b'{"command": "set_hotwords", "words": [{"word": "anna", "pronunciations": ["AE1 N AH0"], "boost": 2}]}'
    assert parse(payload).words == (UserWord("anna", ("AE N AH",), 2.0),)


def test_a_valid_command_keeps_its_fields() -> None:
    payload = b'{"command": "start_session", "id": "7", "label": "minutes"}'
    assert parse(payload) == Command(CommandName.START_SESSION, "7", "minutes")


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_code_is_one_of_the_schema(code: ErrorCode) -> None:
    RESPONSES.validate(json.loads(Response("ping", "1", "it failed; mend it", code).to_json()))
