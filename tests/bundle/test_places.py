"""Where bundles are looked for, and in which order."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import Origin, find_bundles, locate, places, user_folder

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str], Path]:
    """Return what puts the bundle under a name into a folder."""
    source = locate("edgeasr-en").path

    def put(path: str) -> Path:
        target = tmp_path / path
        shutil.copytree(source, target, copy_function=os.symlink)
        return target

    return put


def test_the_order_is_the_one_that_is_documented() -> None:
    environ = {"EDGEASR_MODELS": "/a:/b", "XDG_DATA_HOME": "/data"}
    found = [(str(place.path), place.origin) for place in places([Path("/first")], environ)]
    assert found[:6] == [
        ("/first", Origin.SETTING),
        ("/a", Origin.VARIABLE),
        ("/b", Origin.VARIABLE),
        ("/data/edgeasr/models", Origin.USER),
        ("/var/lib/edgeasr/models", Origin.SYSTEM),
        ("/usr/share/edgeasr/models", Origin.SHARED),
    ]
    assert found[-1] == (str(PROJECT / "models"), Origin.CHECKOUT)
    documented = (PROJECT / "docs/configuration.md").read_text()
    rows = [
        documented.index(word)
        for word in ("`encoder.search` |", "`$EDGEASR_MODELS` (", "~/.local/share/edgeasr/models`")
    ]
    assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/ann"}, Path("/home/ann/.local/share/edgeasr/models")),
        ({"HOME": "/home/ann", "XDG_DATA_HOME": "relative"}, Path("/home/ann/.local/share/edgeasr/models")),
        ({}, None),
    ],
)
def test_the_users_folder(environ: dict[str, str], folder: Path | None) -> None:
    assert user_folder(environ) == folder


def test_an_installed_package_is_searched_and_the_first_of_a_name_counts(
    put: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = put("site/edgeasr_models/edgeasr-xx")
    put("second/edgeasr_models/edgeasr-yy")  # another wheel, in another folder of Python's path
    own = put("data/edgeasr/models/edgeasr-xx2")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "second")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    found = find_bundles()
    assert (found["edgeasr-xx"].path, found["edgeasr-xx"].origin) == (package, Origin.PACKAGE)
    assert found["edgeasr-yy"].origin is Origin.PACKAGE
    assert (found["edgeasr-xx2"].path, found["edgeasr-xx2"].origin) == (own, Origin.USER)
    covering = put("data/edgeasr/models/edgeasr-xx")
    assert find_bundles()["edgeasr-xx"].path == covering


def test_hidden_folders_and_files_are_no_bundles(put: Callable[[str], Path], tmp_path: Path) -> None:
    put("models/.edgeasr-en@1234")
    (tmp_path / "models/readme").touch()
    found = find_bundles([tmp_path / "models", tmp_path / "models/readme", tmp_path / "none"])
    assert not [name for name in found if name.startswith(".") or name == "readme"]


def test_the_models_package_has_the_models_version_and_all_its_files() -> None:
    described = tomllib.loads((PROJECT / "models/pyproject.toml").read_text())
    bundle = locate(str(PROJECT / "models/edgeasr-en"))
    assert described["project"]["version"] == bundle.manifest.model.version, (
        "models/pyproject.toml names the version too"
    )
    assert described["tool"]["setuptools"]["package-data"] == {"edgeasr_models": ["edgeasr-en/*"]}
