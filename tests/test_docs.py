"""What is written down holds: examples keep to the schemas, settings are complete, links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from contract import strict

from edgeasr.cli.commands import COMMANDS
from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName
from tools.docs_settings import updated

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("edgeasr/**/*.md")])
EXAMPLES = re.findall(
    r"^```json (\w+)\n(.*?)^```$", (ROOT / "docs/mqtt.md").read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_in_the_contract_keeps_to_its_schema(name: str, example: str) -> None:
    strict(SchemaName(name)).validate(json.loads(example))


def test_the_contract_has_an_example_of_each_payload_that_is_published() -> None:
    assert {name for name, _ in EXAMPLES} == {
        *("transcript", "state", "health", "power", "event", "command", "response")
    }


@pytest.mark.parametrize("kind", list(Kind))
def test_the_contract_names_each_topic(kind: Kind) -> None:
    assert f"…/{kind.value}`" in (ROOT / "docs/mqtt.md").read_text()


def test_the_settings_written_down_are_those_there_are() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    assert updated(text) == text, "run: python -m tools.docs_settings"


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_commands_in_the_readme_exist() -> None:
    named = re.findall(r"\bedgeasr ([a-z]+)", (ROOT / "README.md").read_text())
    assert set(named) <= set(COMMANDS), set(named) - set(COMMANDS)


def test_the_contract_names_each_event() -> None:
    table = (ROOT / "docs/mqtt.md").read_text().split("## Events", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    schema = json.loads((ROOT / "edgeasr/transcript/schemas/event.json").read_text())
    listed = set(schema["properties"]["event"]["anyOf"][0]["enum"])
    assert {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)} - {"event"} == listed
