"""Master keys from a file, a command, a systemd credential; from anywhere else, not."""

from __future__ import annotations

import base64
import sys

import pytest

from crmctl.errors import InvalidInput, KeyMissing
from crmctl.security import masters
from crmctl.security.masters import MasterSource

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


def private(path, text):
    path.write_text(text)
    path.chmod(0o400)
    return path


def test_a_new_file_is_readable_by_its_owner_alone(tmp_path):
    source = masters.in_folder(tmp_path)
    key = masters.make(source, 1)
    path = tmp_path / "master-0001.key"
    assert path.stat().st_mode & 0o777 == 0o400
    assert masters.read(source, 1) == key and len(key) == 32
    assert masters.make(source, 1) == key, "a master key that is there is used, never replaced"


def test_epochs_have_files_of_their_own(tmp_path):
    source = masters.in_folder(tmp_path)
    assert masters.make(source, 1) != masters.make(source, 12)
    assert {path.name for path in tmp_path.iterdir()} == {"master-0001.key", "master-0012.key"}


def test_a_command_gives_the_key_of_an_epoch():
    program = f"import sys; assert sys.argv[1] == '0003'; print('{TEXT}')"
    source = masters.source_from({"provider": "command", "argv": [sys.executable, "-c", program, "{epoch}"]})
    assert masters.read(source, 3) == KEY


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "print('nonsense')", "pass", "print('QUJD')"])
def test_a_command_without_a_key_is_told(program):
    source = MasterSource("command", argv=(sys.executable, "-c", program))
    with pytest.raises(KeyMissing):
        masters.read(source, 1)


def test_a_command_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(masters, "COMMAND_SECONDS", 0.2)
    with pytest.raises(KeyMissing) as failure:
        masters.read(MasterSource("command", argv=(sys.executable, "-c", "import time; time.sleep(60)")), 1)
    assert "TimeoutExpired" in failure.value.message


def test_what_a_failing_command_prints_is_not_repeated():
    program = "import sys; print('SECRET-OUT'); print('SECRET-ERR', file=sys.stderr); sys.exit(1)"
    with pytest.raises(KeyMissing) as failure:
        masters.read(MasterSource("command", argv=(sys.executable, "-c", program)), 1)
    assert "SECRET" not in failure.value.message + failure.value.hint


def test_systemd_credentials(tmp_path, monkeypatch):
    private(tmp_path / "crmctl-0001", TEXT)
    source = masters.source_from({"provider": "systemd", "name": "crmctl-{epoch}"})
    with pytest.raises(KeyMissing):
        masters.read(source, 1)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert masters.read(source, 1) == KEY
    (tmp_path / "crmctl-0001").chmod(0o440)  # how systemd lets a service user in
    assert masters.read(source, 1) == KEY
    (tmp_path / "crmctl-0001").chmod(0o444)
    with pytest.raises(KeyMissing):
        masters.read(source, 1)


def test_environment_variables_serve_tests_only(monkeypatch):
    monkeypatch.setenv("KEY_IN_TESTS", TEXT)
    source = masters.source_from({"provider": "env", "name": "KEY_IN_TESTS"})
    assert masters.read(source, 1) == KEY
    monkeypatch.delenv("CRMCTL_TESTING")
    with pytest.raises(KeyMissing):
        masters.read(source, 1)
    with pytest.raises(InvalidInput):
        masters.source_from({"provider": "env", "name": "KEY_IN_TESTS"})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"provider": "value", "value": TEXT},
        {"provider": "file"},
        {"provider": "file", "path": ""},
        {"provider": "file", "path": "/k", "mode": "0644"},
        {"provider": "command", "argv": "/bin/key"},
        {"provider": "command", "argv": []},
        {"provider": "command", "argv": ["key"]},
        {"provider": "systemd", "name": "../etc/key"},
    ],
)
def test_other_descriptions_are_refused(document):
    with pytest.raises(InvalidInput) as failure:
        masters.source_from(document)
    assert failure.value.hint and TEXT not in failure.value.message + failure.value.hint


@pytest.mark.parametrize("text", ["", "abc", base64.b64encode(bytes(31)).decode(), TEXT + "!", "x" * 10_000])
def test_a_file_that_holds_no_key_is_told(tmp_path, text):
    path = private(tmp_path / "m", text)
    with pytest.raises(KeyMissing) as failure:
        masters.read(MasterSource("file", path=str(path)), 1)
    assert failure.value.code == "MASTER_INVALID"
