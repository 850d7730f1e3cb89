"""`keys status` and `keys copy` through the front door, on both databases."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from uuid import UUID

import pytest
import workspaces
from sqlalchemy import select, text

from crmctl import workspace
from crmctl.cli.app import main
from crmctl.errors import StorageFailed
from crmctl.runs import run as runs
from crmctl.security import keycare
from crmctl.security.keystore import KeyStore
from crmctl.store import engine, schema


@pytest.fixture
def folder(tmp_path, bare_database_url):
    database = "" if bare_database_url.startswith("sqlite") else bare_database_url
    made = workspaces.make(tmp_path / "crm", database)
    with workspaces.running(made, "keys copy") as run:
        run.keys.add(run.keys.wrapper.wrap(run.keys.wrapper.new_keys("customer", range(1, 31))))
    return made


def call(folder, *words):
    return main(["-w", str(folder), *map(str, words)])


def logged(folder):
    """Return act and result of the log's entries, and the register of copies."""
    tables = schema.load_all().tables
    with workspaces.running(folder, "keys status", dry_run=True) as run, engine.read(run.engine) as conn:
        bodies = [json.loads(body) for body in conn.scalars(select(tables["audit_entry"].c.body))]
        copies = conn.execute(select(tables["copy_register"])).mappings().all()
        states = conn.execute(select(tables["run"].c.command, tables["run"].c.state)).all()
    return [(body["act"], body["result"]) for body in bodies], [dict(row) for row in copies], states


def test_the_status_for_programs(folder, capsys):
    assert call(folder, "keys", "status", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "crmctl/keys-status/1" and document["run_id"] > 0
    assert document["keys"] == {"customer": 30} and document["location"] == f"{folder}.keys"
    assert UUID(document["instance"]) and document["format"] == 1
    assert [entry["epoch"] for entry in document["masters"]] == [1]
    assert document["masters"][0]["created_at"].endswith("+08:00")
    assert logged(folder)[0][-1] == ("keys.status", "done")


def test_the_status_for_people(folder, capsys):
    assert call(folder, "keys", "status") == 0
    shown = capsys.readouterr().out
    assert f"{folder}.keys" in shown and "customers" in shown and "30" in shown


def test_a_copy_opens_and_is_registered(folder, tmp_path, capsys):
    assert call(folder, "keys", "copy", tmp_path / "safe", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["keys"] == {"customer": 30} and document["dry_run"] is False
    with workspaces.running(folder, "keys status", dry_run=True) as run:
        wanted = run.keys.fetch("customer", range(1, 31))
        with KeyStore.open(tmp_path / "safe", run.workspace.instance) as copy:
            assert copy.fetch("customer", range(1, 31)) == wanted
    entries, copies, states = logged(folder)
    assert entries[-2:] == [("keys.copy", "begun"), ("keys.copy", "done")]
    assert [(copy["kind"], copy["rows"], copy["sha256"]) for copy in copies] == [
        ("key store copy", 30, document["sha256"])
    ]
    assert states[-1] == ("keys copy", "done")
    assert copies[0]["bytes"] == (tmp_path / "safe" / "keys.db").stat().st_size


def test_a_copy_has_a_day_to_go_and_is_looked_for(folder, tmp_path, capsys):
    path = folder / "policies" / "company.yaml"
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"(copy_retention_days:\n      value: )\S+", r"\g<1>28", text), "utf-8")
    assert call(folder, "keys", "copy", tmp_path / "safe") == 0
    capsys.readouterr()
    assert call(folder, "use", "copies", "--check", "-o", "json") == 0
    (copy,) = json.loads(capsys.readouterr().out)["copies"]
    made = date.fromisoformat(copy["at"][:10])
    assert (copy["due_on"], copy["found"]) == ((made + timedelta(days=28)).isoformat(), "there")
    assert copy["path"] == str(tmp_path / "safe" / "keys.db")


def test_a_dry_run_writes_nothing(folder, tmp_path, capsys):
    before = logged(folder)
    assert call(folder, "keys", "copy", tmp_path / "safe", "--dry-run", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["run_id"], document["sha256"], document["dry_run"]) == (None, None, True)
    assert not (tmp_path / "safe").exists() and logged(folder) == before


def test_places_that_are_no_safe_keeping_are_refused(folder, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "way-in").symlink_to(folder)
    places = {
        tmp_path / "there": "FILE_EXISTS",
        folder / "keys": "COPY_NOT_APART",
        tmp_path / "way-in" / "keys": "COPY_NOT_APART",
        tmp_path / "crm.keys" / "copy": "COPY_NOT_APART",
        tmp_path / "nowhere" / "copy": "FOLDER_MISSING",
    }
    for place, code in places.items():
        assert call(folder, "keys", "copy", place, "-o", "json") == 1
        failure = json.loads(capsys.readouterr().err)
        assert failure["code"] == code and failure["hint"]
    assert list((tmp_path / "there").iterdir()) == [] and logged(folder)[1] == []


def test_a_copy_that_cannot_be_recorded_is_taken_back(folder, tmp_path, monkeypatch):
    def full(*_arguments):
        raise StorageFailed("disk full")

    monkeypatch.setattr(keycare, "_record", full)
    assert call(folder, "keys", "copy", tmp_path / "safe") == 74
    assert not (tmp_path / "safe").exists()
    entries, copies, states = logged(folder)
    assert entries[-1] == ("keys.copy", "begun") and copies == [] and states[-1] == ("keys copy", "failed")


@pytest.mark.parametrize(
    ("harm", "code", "exit_code"),
    [
        (lambda keys: (keys / "keys.db").chmod(0o640), "KEYSTORE_INSECURE", 12),
        (lambda keys: (keys / "master-0001.key").unlink(), "KEYSTORE_MISSING", 12),
        (lambda keys: keys.rename(keys.with_name("elsewhere")), "KEYSTORE_MISSING", 12),
    ],
)
def test_a_key_store_that_cannot_be_used_is_told(tmp_path, capsys, harm, code, exit_code):
    folder = workspaces.make(tmp_path / "crm")
    harm(tmp_path / "crm.keys")
    assert call(folder, "keys", "status", "-o", "json") == exit_code
    failure = json.loads(capsys.readouterr().err)
    assert (failure["code"], failure["exit_code"]) == (code, exit_code)


def test_another_workspaces_key_store_is_refused(tmp_path, capsys):
    first, _second = workspaces.make(tmp_path / "one"), workspaces.make(tmp_path / "two")
    (tmp_path / "one.keys").rename(tmp_path / "gone")
    (tmp_path / "two.keys").rename(tmp_path / "one.keys")
    assert call(first, "keys", "status", "-o", "json") == 12
    assert json.loads(capsys.readouterr().err)["code"] == "INSTANCE_WRONG"


def test_somebody_without_the_right_is_refused_on_the_record(folder, tmp_path, capsys):
    """A second person takes the first one's being alone away, and with it every role but the written ones."""
    policy = folder / "policies" / "access.yaml"
    people = "  people:\n    somebody.else: {uids: [54321], roles: [admin]}\n"
    mine = policy.read_text().replace("roles: [admin]", "roles: [agent]", 1)
    policy.write_text(mine.replace("  people:\n", people, 1))
    assert call(folder, "keys", "copy", tmp_path / "safe", "-o", "json") == 6
    failure = json.loads(capsys.readouterr().err)
    assert failure["code"] == "ACT_NOT_GRANTED" and "keys.copy" in failure["message"]
    assert not (tmp_path / "safe").exists()
    opened = engine.open_engine(runs.database_url(workspace.find(folder)), workspace=folder)
    with engine.read(opened) as conn:
        (body,) = conn.scalars(
            select(schema.load_all().tables["audit_entry"].c.body).order_by(text("seq DESC")).limit(1)
        )
    opened.dispose()
    assert (json.loads(body)["act"], json.loads(body)["result"]) == ("keys.copy", "denied")
