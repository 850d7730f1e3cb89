"""Make a workspace: everything is made in a folder of another name and appears under its own at the end.

Interrupted, it leaves nothing but a hidden folder that the next `init` of the same name removes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from crmctl import files, locate, workspace
from crmctl.audit import entries
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs import tables
from crmctl.security import actor
from crmctl.security.keystore import KeyStore
from crmctl.store import engine, migrate
from crmctl.workspace import FILE, SCHEMA

SAMPLE = Path(__file__).parent / "sample"
FOLDERS = ("data", "locks", "spool", "reports", "policies")


@dataclass(frozen=True)
class Request:
    """What `crmctl init` was asked for; `database` and `keys` empty mean the defaults."""

    folder: Path
    lang: str
    demo: bool = False
    database: str = ""
    keys: str = ""
    password_file: str = ""


@dataclass(frozen=True)
class Made:
    """What exists now."""

    folder: Path
    keys: str
    database: str
    instance: str
    person: str
    policies: int


def init(request: Request, at: datetime) -> Made:
    """Make the workspace `request` describes and return what exists. Raises Refused for a folder that is not empty."""
    folder = request.folder.absolute()
    keys = request.keys or f"{folder}.keys"
    _refuse(folder, keys)
    building = folder.with_name(f".{folder.name}.init")
    building_keys = Path(f"{building}.keys")
    for leftover in (building, building_keys):
        shutil.rmtree(leftover, ignore_errors=True)
    instance = str(uuid.uuid4())
    person = _person()
    try:
        _folders(building)
        count = _policies(building / "policies", request.demo, person, at)
        external_keys = "://" in keys
        if external_keys:
            files.make_folder(building_keys)
        store = KeyStore.create(
            keys if external_keys else str(building_keys),
            uuid.UUID(instance).bytes,
            at=at,
            master=_master(building_keys) if external_keys else None,
        )
        store.close()
        _config(building, request, instance, keys, folder)
        _database(building, request, instance, at)
        building_keys.rename(f"{folder}.keys" if external_keys else keys)
        if folder.exists():
            folder.rmdir()
        building.rename(folder)
        files.sync_folder(folder.parent)
    except OSError as error:
        raise files.storage_failure(folder, error) from error
    finally:
        for leftover in (building, building_keys):
            shutil.rmtree(leftover, ignore_errors=True)
    _first_entry(folder, at)
    if request.demo:
        _demo_staff(folder)
    return Made(folder, keys, request.database or str(folder / "data" / "crmctl.db"), instance, person, count)


def _refuse(folder: Path, keys: str) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            _("{folder}: is not empty").format(folder=folder),
            hint=_("name a new or empty folder"),
            code="FOLDER_NOT_EMPTY",
        )
    if not folder.parent.is_dir():
        raise Refused(
            _("{folder}: its parent folder does not exist").format(folder=folder), code="FOLDER_PARENT_MISSING"
        )
    if "://" in keys:
        return
    place = Path(keys).absolute()
    if place == folder or folder in place.parents:
        raise InvalidInput(
            _("{keys}: the key store may not lie in the workspace").format(keys=keys),
            hint=_("keys beside their data protect nothing; name another place with --keys"),
            code="KEYS_IN_WORKSPACE",
        )
    if place.exists():
        raise Refused(
            _("{keys}: exists already").format(keys=keys),
            hint=_("name another place with --keys, or move it away if it belongs to nothing"),
            code="KEYS_EXIST",
        )


def _person() -> str:
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def _folders(building: Path) -> None:
    building.mkdir(mode=files.OWNER_FOLDER)
    for name in FOLDERS:
        files.make_folder(building / name)


def _policies(folder: Path, demo: bool, person: str, at: datetime) -> int:
    from crmctl import policy

    count = 0
    for source in sorted(locate.shipped("policies").glob("*.yaml")):
        if source.name.startswith("_"):
            continue
        text = source.read_text(encoding="utf-8")
        if source.name == "access.yaml":
            text = first_administrator(text, person, os.getuid(), at)
        files.write_text(folder / source.name, text)
        count += 1
    write_schemas(folder)
    _cases(folder)
    if demo:
        replacement = locate.shipped("policies") / "_demo_company.yaml"
        files.write_text(folder / "company.yaml", replacement.read_text(encoding="utf-8"), replace=True)
    policy.load(folder)
    return count


def write_schemas(folder: Path) -> int:
    """Write the JSON Schema of every kind of policy below `folder`, where the files' first line sends editors.

    Those that are as they should be stay untouched. Returns how many were written.
    """
    from crmctl.policy.schema import json_texts

    files.make_folder(folder / "schema")
    written = 0
    for name, text in json_texts().items():
        path = folder / "schema" / f"{name}.json"
        if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
            files.write_text(path, text, replace=True)
            written += 1
    return written


def _cases(folder: Path) -> None:
    """Copy the cases that test the starter policies."""
    files.make_folder(folder / "tests")
    for source in sorted((locate.shipped("policies") / "tests").glob("*.yaml")):
        files.write_text(folder / "tests" / source.name, source.read_text(encoding="utf-8"))


def first_administrator(text: str, person: str, uid: int, at: datetime) -> str:
    """Return access.yaml with the person who runs `init` as its first administrator (design §6, Permissions)."""
    day = at.date().isoformat()
    entry = (
        f'    "{person}":\n'
        f"      uids: [{uid}]\n"
        f"      roles: [admin]\n"
        f'      confidentiality_signed: "{day}"\n'
        f'      training_passed: "{day}"\n'
    )
    marker = "  people: {}\n"
    if marker not in text:
        raise InvalidInput(_("the shipped access.yaml has no place for the first administrator"))
    return text.replace(marker, "  people:\n" + entry)


def _master(folder: Path) -> dict[str, Any]:
    return {"provider": "file", "path": str(folder / "master-{epoch}.key")}


def _config(building: Path, request: Request, instance: str, keys: str, folder: Path) -> None:
    lines = [
        "# " + _("Configuration of this workspace; see: crmctl config show"),
        f"schema: {SCHEMA}",
        f'instance: "{instance}"',
        f"lang: {request.lang}",
        f'database: "{request.database or "data/crmctl.db"}"',
        f'keys: "{keys if "://" in keys else os.path.relpath(keys, folder)}"',
        "mode: direct",
    ]
    if request.password_file:
        lines.append(f'database_password_file: "{Path(request.password_file).absolute()}"')
    if "://" in keys:
        lines += ["master_key:", "  provider: file", f'  path: "{folder}.keys/master-{{epoch}}.key"']
    files.write_text(building / FILE, "\n".join(lines) + "\n")


def _database(building: Path, request: Request, instance: str, at: datetime) -> None:
    place = request.database or f"sqlite:///{building / 'data' / 'crmctl.db'}"
    secret = request.password_file or os.environ.get("CRMCTL_DATABASE_PASSWORD_FILE", "")
    secret_file = Path(request.folder.absolute(), secret) if secret else None  # relative to the workspace, as later
    base = engine.open_engine(runs.with_password(place, secret_file), workspace=building)
    try:
        migrate.upgrade(base)
        with engine.write(base) as conn:
            if conn.execute(select(tables.installation.c.instance)).first() is not None:
                raise Refused(
                    _("the database belongs to another workspace already"),
                    hint=_("give an empty database with --database"),
                    code="DATABASE_IN_USE",
                )
            conn.execute(insert(tables.installation).values(id=1, instance=instance, created_at=at))
    finally:
        base.dispose()


def _first_entry(folder: Path, at: datetime) -> None:
    """Begin the log: who made the workspace, under which policies."""
    from crmctl import policy

    place = workspace.find(folder)
    policies = policy.load(place.policies)
    who = actor.current(runs.access_of(policies), mode="direct")
    base = engine.open_engine(runs.database_url(place), workspace=folder)
    try:
        with engine.write(base) as conn:
            runs.keep_policy_text(conn, policies, at)
            body = entries.entry(act="init", actor=who, at=at, result="done", policy=policies.hash, host=runs.HOST)
            entries.append(conn, body)
    finally:
        base.dispose()


def _demo_staff(folder: Path) -> None:
    """Add the made-up staff of the example company (design §4); customers are never added."""
    import csv

    from crmctl import staff
    from crmctl.cli.invocation import Invocation

    call = Invocation(command="init", workspace=folder)
    with (
        runs.open_run(call, "init", "staff.add") as run,
        (SAMPLE / "staff.csv").open(encoding="utf-8", newline="") as people,
    ):
        staff.add_demo(run, list(csv.DictReader(people)))
