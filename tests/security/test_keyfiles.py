"""The key store is opened only where nobody else can read it (F11, A11)."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from crmctl.errors import KeyMissing, Refused
from crmctl.security.keyfiles import new_file, new_folder, read_private
from crmctl.security.keystore import KeyStore, read_secret

AT = datetime(2026, 11, 21, tzinfo=UTC)
INSTANCE = os.urandom(16)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "store"
    KeyStore.create(place, INSTANCE, AT).close()
    return place


def test_a_new_store_is_its_owners_alone(tmp_path):
    before = os.umask(0)
    try:
        KeyStore.create(tmp_path / "k", INSTANCE, AT).close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [tmp_path / "k", *(tmp_path / "k").iterdir()]}
    assert modes == {"k": 0o700, "keys.db": 0o600, "master-0001.key": 0o400}
    assert [path.name for path in tmp_path.iterdir()] == ["k"], "nothing half-built is left"


@pytest.mark.parametrize("name", ["", "keys.db", "master-0001.key"])
@pytest.mark.parametrize("extra", [0o040, 0o020, 0o004, 0o002, 0o010, 0o001])
def test_anything_others_may_use_is_refused(folder, name, extra):
    path = folder / name
    path.chmod(path.stat().st_mode & 0o777 | extra)
    with pytest.raises(KeyMissing) as failure:
        KeyStore.open(folder, INSTANCE)
    assert failure.value.exit_code == 12 and failure.value.code == "KEYSTORE_INSECURE"
    assert "chmod" in failure.value.hint and str(path) in failure.value.hint


@pytest.mark.parametrize("name", ["", "keys.db", "master-0001.key"])
def test_symbolic_links_are_refused(folder, name):
    path = folder / name
    real = path.with_name("elsewhere")
    path.rename(real)
    path.symlink_to(real)
    with pytest.raises(KeyMissing) as failure:
        KeyStore.open(folder, INSTANCE)
    assert failure.value.code == "KEYSTORE_INSECURE"


@pytest.mark.parametrize("name", ["", "keys.db", "master-0001.key"])
def test_what_is_missing_is_named(folder, name):
    path = folder / name
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(KeyMissing) as failure:
        KeyStore.open(folder, INSTANCE)
    assert failure.value.code == "KEYSTORE_MISSING" and str(path) in failure.value.message


@pytest.mark.parametrize("name", ["keys.db", "master-0001.key"])
def test_only_regular_files_are_read(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name, 0o600)
    with pytest.raises(KeyMissing):
        KeyStore.open(folder, INSTANCE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["", "keys.db", "master-0001.key"])
def test_files_of_another_user_are_refused(folder, name):
    os.chown(folder / name, 65534, 65534)
    with pytest.raises(KeyMissing) as failure:
        KeyStore.open(folder, INSTANCE)
    assert failure.value.code == "KEYSTORE_INSECURE" and "65534" in failure.value.message


def test_reading_a_secret_checks_the_opened_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("word")
    path.chmod(0o600)
    assert read_private(path, 100) == b"word" == read_secret(path)
    path.chmod(0o640)
    with pytest.raises(KeyMissing):
        read_private(path, 100)


def test_a_folder_that_fails_to_be_built_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "k") as building:
        (building / "part").write_text("x")
        raise RuntimeError
    with pytest.raises(RuntimeError), new_file(tmp_path / "f") as building:
        building.write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_built_over(tmp_path):
    (tmp_path / "there").symlink_to(tmp_path / "nowhere")
    for build in (new_folder, new_file):
        with pytest.raises(Refused), build(tmp_path / "there"):
            pytest.fail("a dangling link counts as existing")
    with pytest.raises(Refused), new_folder(tmp_path / "late") as building:
        (tmp_path / "late").mkdir()  # appears meanwhile
        assert building.exists()
    assert list((tmp_path / "late").iterdir()) == []
