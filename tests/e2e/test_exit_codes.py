"""Every exit status of this stage, once for real."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import pytest
from commands import Done, crmctl, started, strike, until
from storage import direct

from crmctl.errors import EXIT_CODES

Case = Callable[[Path, commands.Given], Done]


def _filled(folder: Path, given: commands.Given) -> None:
    assert crmctl(folder, "customer", "import", given.path).status == 3


def done(folder: Path, given: commands.Given) -> Done:
    _filled(folder, given)
    return crmctl(folder, "customer", "list", "-o", "json")


def nothing_to_do(folder: Path, given: commands.Given) -> Done:
    good = folder.with_name("good.csv")
    lines = [line for line in given.path.read_bytes().splitlines(keepends=True) if b"individual" in line][:1]
    good.write_bytes(given.path.read_bytes().splitlines(keepends=True)[0] + b"".join(lines))
    assert crmctl(folder, "customer", "import", good).status == 0
    again = crmctl(folder, "customer", "import", good, "-o", "json")
    assert again.document["duplicate"] == 1
    return again


def refused(folder: Path, _given: commands.Given) -> Done:
    return crmctl(folder, "batch", "resume", 99, "-o", "json")


def usage(folder: Path, given: commands.Given) -> Done:
    return crmctl(folder, "customer", "import", given.path, "--chunk", 0, "-o", "json")


def rejected(folder: Path, given: commands.Given) -> Done:
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def invalid(folder: Path, _given: commands.Given) -> Done:
    return crmctl(folder, "customer", "import", "missing.csv", "-o", "json")


def invalid_policy(folder: Path, given: commands.Given) -> Done:
    (folder / "policies" / "customers.yaml").write_text("kind: customers\n", "utf-8")
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def not_permitted(folder: Path, given: commands.Given) -> Done:
    access = folder / "policies" / "access.yaml"
    text = access.read_text("utf-8").replace("roles: [admin]", "roles: [agent]")
    second = '    "someone":\n      uids: [64999]\n      roles: [admin]\n'
    access.write_text(text.replace("  people:\n", "  people:\n" + second), "utf-8")
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def limit(folder: Path, given: commands.Given) -> Done:
    _filled(folder, given)
    rows = given.path.read_text("utf-8")
    changed = folder.with_name("changed.csv")
    changed.write_text(rows.replace("zhanhui", "dianhua").replace("@", "@new."), "utf-8")
    return crmctl(folder, "customer", "import", changed, "--mode", "upsert", "--max-changes", 0, "-o", "json")


def no_database(folder: Path, given: commands.Given) -> Done:
    (folder / "data" / "crmctl.db").unlink()
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def other_revision(folder: Path, given: commands.Given) -> Done:
    with direct(folder) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0000'")
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def busy(folder: Path, _given: commands.Given) -> Done:
    with direct(folder) as raw:
        raw.execute("BEGIN IMMEDIATE")
        return crmctl(folder, "customer", "list", "--lock-timeout", 0.3, "-o", "json")


def locked(folder: Path, given: commands.Given) -> Done:
    lock = folder / "locks" / "import.lock"
    with started(folder, "customer", "import", "-", stdin=subprocess.PIPE) as first:
        assert until(lambda: lock.is_file() and b"customer import" in lock.read_bytes())
        second = crmctl(folder, "customer", "import", given.path, "--lock-timeout", 0.3, "-o", "json")
        assert first.poll() is None
    return second


def no_keys(folder: Path, given: commands.Given) -> Done:
    shutil.rmtree(f"{folder}.keys")
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def wrong_keys(folder: Path, given: commands.Given) -> Done:
    other = folder.with_name("other")
    assert crmctl(None, "init", other).status == 0
    shutil.rmtree(f"{folder}.keys")
    Path(f"{other}.keys").rename(f"{folder}.keys")
    return crmctl(folder, "customer", "import", given.path, "-o", "json")


def tampered(folder: Path, _given: commands.Given) -> Done:
    with direct(folder) as raw:
        raw.execute("UPDATE audit_entry SET body = body || ' ' WHERE seq = 0")
    return crmctl(folder, "audit", "verify", "-o", "json")


def damaged(folder: Path, _given: commands.Given) -> Done:
    database = folder / "data" / "crmctl.db"
    database.write_bytes(b"no database at all " * 1000)
    return crmctl(folder, "customer", "list", "-o", "json")


def unsigned(folder: Path, _given: commands.Given) -> Done:
    return crmctl(folder, "audit", "verify", "-o", "json")


def bug(folder: Path, given: commands.Given) -> Done:
    return strike("BUG:before:1:crmctl.sheets.source:inspect", folder, "customer", "import", given.path, "-o", "json")


def disk_full(folder: Path, given: commands.Given) -> Done:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    return crmctl(folder, "customer", "import", given.path, "--chunk", 50, "-o", "json", preexec_fn=limited)


def interrupted(folder: Path, given: commands.Given) -> Done:
    point = "SIGINT:after:1:crmctl.customers.apply:apply"
    return strike(point, folder, "customer", "import", given.path, "--chunk", 50, "-o", "json")


def terminated(folder: Path, given: commands.Given) -> Done:
    point = "SIGTERM:after:1:crmctl.customers.apply:apply"
    return strike(point, folder, "customer", "import", given.path, "--chunk", 50, "-o", "json")


def _complained(folder: Path, given: commands.Given) -> str:
    """Open a complaint of C-1; return its acceptance number."""
    _filled(folder, given)
    words: list[object] = ["--channel", "phone", "--category", "quality", "--feedback-by", "2099-01-01T10:00"]
    for name in ("complainant", "contact", "matter", "demand"):
        folder.with_name(name).write_text("样例", "utf-8")
        words += [f"--{name}", f"@{folder.with_name(name)}"]
    opened = crmctl(folder, "complaint", "open", 1, *words, "-o", "json")
    return str(opened.document["number"])


def closed_early(folder: Path, given: commands.Given) -> Done:
    return crmctl(folder, "complaint", "close", _complained(folder, given), "-o", "json")


def ticket_of_another(folder: Path, given: commands.Given) -> Done:
    number = _complained(folder, given)
    return crmctl(folder, "customer", "show", 2, "--reveal", "mobile", "--ticket", number, "-o", "json")


CASES: tuple[tuple[int, Case], ...] = (
    (0, done), (0, nothing_to_do), (1, refused), (1, closed_early), (2, usage), (3, rejected), (4, invalid),
    (4, invalid_policy), (6, not_permitted), (6, ticket_of_another), (7, limit),
    (10, no_database), (10, other_revision), (11, busy), (11, locked), (12, no_keys),
    (12, wrong_keys), (13, tampered), (13, damaged), (14, unsigned), (70, bug), (74, disk_full), (130, interrupted),
    (143, terminated),
)  # fmt: skip
DOCUMENTS = (0, 3, 13, 14)  # these end with a result; the others with a failure


@pytest.mark.parametrize(("status", "case"), CASES, ids=[case.__name__ for _status, case in CASES])
def test_exit_status(make: Any, small: commands.Given, status: int, case: Case) -> None:
    found = case(make("sqlite"), small)

    assert found.status == status, found.err
    assert b"Traceback" not in found.err
    if found.err:
        assert found.failure["exit_code"] == status
        assert found.failure["message"]
        assert found.out == b""
    else:
        assert found.document["schema"]
        assert status in DOCUMENTS


def test_every_documented_status_has_its_case() -> None:
    later = {5, 8}  # plans come with a later stage
    assert {status for status, _case in CASES} == set(EXIT_CODES) - later
