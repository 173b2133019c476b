"""From folders and archives into place: at once, one at a time, and nothing of what is not believed."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from edgeasr.bundle import Bundle, find_bundles, locate, write_checksums
from edgeasr.errors import BundleError, UsageError
from edgeasr.pull import pull
from edgeasr.pull.store import Store

from .conftest import SIZE, Server, make_bundle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


def archive(path: Path, folder: Path, inside: str = "edgeasr-en", mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        tar.add(folder, inside)
    return path


@pytest.mark.parametrize("inside", [".", "edgeasr-en", "a/b/c"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_an_archive_is_unpacked_wherever_in_it_the_bundle_is(
    bundle: Path, store: Path, tmp_path: Path, mode: str, inside: str
) -> None:
    file = archive(tmp_path / "x.tar", bundle, inside, mode)
    assert pull(str(file), store).path == store / "edgeasr-en"
    assert (store / "edgeasr-en/lm.bin").read_bytes() == (bundle / "lm.bin").read_bytes()


def test_an_archive_from_the_web_goes_on_where_it_broke_off(
    bundle: Path, web: Server, store: Path, tmp_path: Path
) -> None:
    file = archive(tmp_path / "origin/edgeasr-en.tar", bundle, mode="w")
    pin = hashlib.sha256(file.read_bytes()).hexdigest()
    web.folder = tmp_path / "origin"
    assert pull(f"{web.url}/edgeasr-en.tar", store, pin=pin).is_new
    with pytest.raises(BundleError, match="not the one that --sha256 gives"):
        pull(f"{web.url}/edgeasr-en.tar", store, pin="0" * 64)


def test_a_folder_of_this_machine_is_copied(bundle: Path, store: Path) -> None:
    pulled = pull(str(bundle), store)
    shutil.rmtree(bundle)
    assert Bundle.open(pulled.path, verify=True).manifest.model.name == "edgeasr-en"


def test_the_bundle_before_stays_readable_and_the_one_before_that_goes(bundle: Path, store: Path) -> None:
    """A daemon that runs opens files of its bundle late, when an accelerator comes back."""
    paths = []
    for seed in (2, 3, 4):
        shutil.rmtree(bundle)
        make_bundle(bundle, seed=seed)
        paths.append(pull(str(bundle), store).bundle.path)
    assert [path.exists() for path in paths] == [False, True, True]
    assert next(iter(find_bundles([store]))) == "edgeasr-en"
    assert not [name for name in find_bundles([store]) if name.startswith(".")]


def test_somebody_who_looks_all_the_while_always_finds_a_bundle(bundle: Path, store: Path) -> None:
    store.mkdir()
    shutil.copytree(bundle, store / "edgeasr-en")  # by hand, as one used to
    missing: list[BundleError] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                locate("edgeasr-en", search=[store])
                Bundle.open(store / "edgeasr-en")
            except BundleError as error:
                missing.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for seed in (2, 3):
        shutil.rmtree(bundle)
        make_bundle(bundle, seed=seed)
        pull(str(bundle), store)
    done.set()
    thread.join()
    assert not missing
    assert (store / "edgeasr-en").is_symlink()


def test_two_at_once_do_not_meddle(bundle: Path, store: Path) -> None:
    with Store(store).locked(), pytest.raises(BundleError, match=r"another pull .* is under way"):
        pull(str(bundle), store)
    assert pull(str(bundle), store).is_new


def test_a_bundle_that_is_refused_changes_nothing(bundle: Path, store: Path) -> None:
    def refuse(_bundle: Bundle) -> None:
        raise BundleError("its graph does not load")

    with pytest.raises(BundleError, match="does not load"):
        pull(str(bundle), store, check=refuse)
    assert not (store / "edgeasr-en").exists()


def add(
    tar: tarfile.TarFile, name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(data) if kind == tarfile.REGTYPE else 0, kind, link
    tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    "evil",
    [
        {"name": "edgeasr-en/../../../escaped"},
        {"name": "/nonexistent/escaped"},
        {"name": "edgeasr-en/link", "kind": tarfile.SYMTYPE, "link": "/etc/passwd"},
        {"name": "edgeasr-en/lm.bin", "kind": tarfile.SYMTYPE, "link": "/etc/passwd"},
        {"name": "edgeasr-en/device", "kind": tarfile.CHRTYPE},
        {"name": "edgeasr-en/.hidden"},
    ],
)
def test_what_an_archive_should_not_hold_is_left_out(
    bundle: Path, store: Path, tmp_path: Path, evil: dict[str, object]
) -> None:
    file = tmp_path / "x.tar"
    with tarfile.open(file, "w") as tar:
        tar.add(bundle, "edgeasr-en")
        add(tar, **evil)  # type: ignore[arg-type]
    pulled = pull(str(file), store)
    assert {path.name for path in pulled.path.iterdir()} == {path.name for path in bundle.iterdir()}
    assert not any(path.is_symlink() for path in pulled.path.iterdir())
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(
    "damage", ["cut", "noise", "no bundle", "two bundles", "too many", "a file is missing"]
)
def test_a_bad_archive_is_one_sentence(bundle: Path, store: Path, tmp_path: Path, damage: str) -> None:
    file = archive(tmp_path / "x.tar.gz", bundle)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: SIZE // 2])
    elif damage == "noise":
        file.write_bytes(b"\x1f\x8b" + bytes(5000))
    else:
        with tarfile.open(file, "w") as tar:
            if damage == "two bundles":
                tar.add(bundle, "one")
                tar.add(bundle, "two")
            elif damage == "too many":
                for number in range(300):
                    add(tar, f"edgeasr-en/{number}")
            elif damage == "a file is missing":
                (bundle / "lm.bin").unlink()
                tar.add(bundle, "one")
            else:
                add(tar, "readme")
    with pytest.raises(BundleError) as caught:
        pull(str(file), store)
    assert "\n" not in str(caught.value)
    assert not (store / "edgeasr-en").exists()


def test_damaged_folders_and_other_sources(bundle: Path, store: Path, tmp_path: Path) -> None:
    (bundle / "lm.bin").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"lm\.bin does not match its checksum"):
        pull(str(bundle), store)
    (bundle / "lm.bin").unlink()
    with pytest.raises(BundleError, match=r"lm\.bin cannot be read"):
        pull(str(bundle), store)
    write_checksums(bundle)
    with pytest.raises(BundleError, match=r"does not list lm\.bin"):
        pull(str(bundle), store)
    with pytest.raises(BundleError, match="is not a model bundle"):
        pull(str(tmp_path), store)
    with pytest.raises(BundleError, match="does not exist; give an address"):
        pull(str(tmp_path / "none"), store)
    with pytest.raises(UsageError, match="ftp:// cannot be pulled from"):
        pull("ftp://example.org/x", store)


def test_a_name_that_leads_elsewhere_is_refused(bundle: Path, store: Path) -> None:
    text = (bundle / "model.toml").read_text()
    (bundle / "model.toml").write_text(text.replace('name = "edgeasr-en"', 'name = "../../x"'))
    write_checksums(bundle)
    with pytest.raises(BundleError, match="which is no name for a folder"):
        pull(str(bundle), store)
