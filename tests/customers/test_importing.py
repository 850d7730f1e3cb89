"""The import loop on both databases: chunk sizes, merging, contacts, the dry run, and what audit says of it all."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crmctl import clock
from crmctl.audit.verify import verify
from crmctl.customers import merge, record, tables
from crmctl.customers.build import Recipe
from crmctl.customers.importing import Import
from crmctl.customers.live import Live
from crmctl.customers.model import Key, Row
from crmctl.customers.packing import CONTACT_NAME, ORG_NAME, PERSON_NAME
from crmctl.customers.pipeline import InProcess, Task
from crmctl.customers.records import settings_of
from crmctl.customers.rehearsal import Rehearsal
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.identity import IDENTITY_KINDS, BlindIndex
from crmctl.security.sealing import Sealer
from crmctl.sheets import batches
from crmctl.sheets.model import Reason, Rejected, Totals
from crmctl.sheets.tables import rejected_row
from crmctl.store import counters
from crmctl.store import engine as engines

TESTS = Path(__file__).parents[1]
MOBILE, EMAIL = IDENTITY_KINDS["mobile"], IDENTITY_KINDS["email"]


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


workspaces = _load("workspaces")


class Given:
    """Rows handed in instead of read from a file."""

    def __init__(self, rows: list[Row | Rejected]) -> None:
        self.rows = {row.number: row for row in rows}

    def compile(self) -> Any:
        return lambda number, _cells: self.rows[number]

    def blocks(self, size: int, after: int) -> Iterator[list[tuple[int, list[str]]]]:
        numbers = [number for number in sorted(self.rows) if number > after]
        for at in range(0, len(numbers), size):
            yield [(number, [f"cell {number}"]) for number in numbers[at : at + size]]


def person(number: int, name: str, mobile: str, email: str = "", **more: str) -> Row:
    keys = [Key(PERSON_NAME, name, "none", False), Key(MOBILE, mobile, "unique", False)]
    personal = {"name": name, "mobile": mobile, **more}
    if email:
        keys.append(Key(EMAIL, email, "supporting", False))
        personal["email"] = email
    return Row(number, "individual", False, {"region": "北京市"}, {}, personal, None, (), tuple(keys), ())


def company(number: int, name: str, contact: str = "", mobile: str = "", **clear: Any) -> Row:
    keys = [Key(ORG_NAME, name, "unique", False)]
    if contact:
        keys.append(Key(PERSON_NAME, contact, "none", True))
    if mobile:
        keys.append(Key(MOBILE, mobile, "supporting", True))
    fields = {k: v for k, v in (("name", contact), ("mobile", mobile)) if v}
    return Row(
        number, "enterprise", True, {"company_name": name, **clear}, {}, {"address": f"{name} road"}, fields or None,
        (), tuple(keys), (),
    )  # fmt: skip


ROWS: list[Row | Rejected] = [
    person(2, "li", "+8613800000001", "li@x.cn"),
    person(3, "wang", "+8613800000002", "li@x.cn"),
    company(4, "acme", "zhao", "+8613800000003"),
    Rejected(5, (Reason("EMAIL_INVALID", "email"),), ["a", "b"]),
    company(6, "acme", "qian", "+8613800000003"),
    person(7, "li", "+8613800000001"),
    company(8, "beta"),
    company(9, "acme", "sun", "+8613800000009", annual_amount=500),
    person(10, "zhou", "+8613800000002"),
]


def do_import(run: Run, rows: list[Row | Rejected], mode: str, size: int, ground: Any = Live) -> Totals:
    run = run if run.dry_run else runs.begin(run)
    number = 999 if run.dry_run else counters.take(run.engine, "batch")
    key = run.keys.wrapper.new_keys("batch", [number])[0]
    epoch, index_keys = run.keys.index_keys()
    sealer = Sealer(run.workspace.instance)
    if not run.dry_run:
        run.keys.add(run.keys.wrapper.wrap([key]))
        values = {"source": "s", "mode": mode, "options": {}, "source_sha256": "0" * 64, "source_bytes": 1}
        with engines.write(run.engine) as conn:
            batches.create(conn, run, number, values, b"")
    terms = merge.Terms(
        settings_of(run), record.Completeness(settings_of(run)), sealer, "s", clock.stamp(run.at), True, False
    )
    recipe = Recipe(number, run.run_id or 0, key, run.keys.wrapper, epoch, terms, mode != "create")
    task = Task(recipe, BlindIndex(index_keys[epoch], epoch), "s", size, 1, Given(rows))
    work = Import(InProcess(task), ground(run, number, [epoch]), mode, 1, 0, None, 1, "customers", lambda _rows: None)
    return work.run()


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Path:
    """A workspace on each database."""
    url = "" if database_url.startswith("sqlite") else database_url
    made: Path = workspaces.make(tmp_path / "crm", url)
    return made


def contents(run: Run) -> dict[str, Any]:
    """Return everything an import wrote, opened, with the columns left out that a chunk size may change."""
    sealer = Sealer(run.workspace.instance)
    with engines.read(run.engine) as conn:
        customers = conn.execute(select(tables.customer).order_by(tables.customer.c.customer_id)).mappings().all()
        contacts = conn.execute(select(tables.contact).order_by(*tables.contact.primary_key)).mappings().all()
        identities = conn.execute(select(tables.identity)).all()
        rejected = conn.execute(select(rejected_row.c.row_number, rejected_row.c.reasons)).all()
    keys = run.keys.fetch("customer", [row["customer_id"] for row in customers])
    aside = ("sealed", "sealed_hash", "created_at", "updated_at")

    def opened(row: Any, place: Any, number: int = 0) -> tuple[Any, Any]:
        values = {name: value for name, value in row.items() if name not in aside}
        return values, sealer.open_json(keys[row["customer_id"]], place, bytes(row["sealed"]), number)

    return {
        "customers": [opened(row, merge.CUSTOMER_SEALED) for row in customers],
        "contacts": [opened(row, merge.CONTACT_SEALED, row["contact_id"]) for row in contacts],
        "identities": sorted((row.kind, row.slot, row.customer_id) for row in identities),
        "rejected": sorted((row.row_number, row.reasons) for row in rejected),
        "keys": run.keys.count("customer"),
    }


def problems(run: Run) -> list[str]:
    """Return what verification finds wrong, down to changes and rows."""
    return [problem.message for problem in verify(run.engine, changes=True, rows=True).problems]


@pytest.mark.parametrize("size", [1, 2, 7, 20_000])
def test_counts_and_contents_whatever_the_chunk_size(folder: Path, size: int) -> None:
    with workspaces.running(folder) as run:
        totals = do_import(run, ROWS, "create", size)
        found = contents(run)

        assert totals.counts == {
            "read": 9, "created": 4, "updated": 2, "unchanged": 0, "duplicate": 1, "rejected": 2, "flagged": 1,
        }  # fmt: skip
        assert totals.reasons == {"EMAIL_INVALID": 1, "IDENTITY_CONFLICT": 1}
        assert [values["customer_id"] for values, _sealed in found["customers"]] == [1, 2, 3, 4]
        assert [(v["customer_id"], v["contact_id"], s["name"]) for v, s in found["contacts"]] == [
            (3, 1, "zhao"), (3, 2, "qian"), (3, 3, "sun"),
        ]  # fmt: skip
        assert found["customers"][1][0]["flags"] == "SHARED_KEY"
        assert found["keys"] == 4
        assert problems(run) == []


def test_the_second_import_changes_nothing(folder: Path) -> None:
    with workspaces.running(folder) as run:
        do_import(run, ROWS, "create", 3)
        before = contents(run)
        again = do_import(run, ROWS, "create", 4)
        upserted = do_import(run, [row for row in ROWS if row.number != 9], "upsert", 2)

        assert (again.counts["created"], again.counts["updated"], again.counts["duplicate"]) == (0, 0, 7)
        assert (upserted.counts["updated"], upserted.counts["unchanged"]) == (0, 6)
        assert contents(run)["customers"] == before["customers"]
        assert contents(run)["identities"] == before["identities"]


@pytest.mark.parametrize("size", [1, 2, 20_000])
def test_upsert_merges_row_by_row(folder: Path, size: int) -> None:
    first = [person(2, "li", "+8613800000001", "li@x.cn"), company(3, "acme", "zhao", "+8613800000003")]
    second = [
        person(2, "li", "+8613800000007", "li@x.cn", position="boss"),  # a new number, known by mailbox and name
        person(3, "wang", "+8613800000001"),  # the old number now belongs to somebody else
        company(4, "acme", "zhao", "+8613800000004", annual_amount=700),
        company(5, "acme", "qian", "+8613800000005"),
        company(6, "acme", "qian", "+8613800000006"),
    ]
    with workspaces.running(folder) as run:
        do_import(run, first, "create", 20_000)
        totals = do_import(run, second, "upsert", size)
        found = contents(run)

        assert (totals.counts["created"], totals.counts["updated"]) == (1, 4)
        assert [sealed.get("mobile") for _values, sealed in found["customers"]] == [
            "+8613800000007", None, "+8613800000001",
        ]  # fmt: skip
        assert found["customers"][1][0]["annual_amount"] == 700
        assert [sealed["mobile"] for _values, sealed in found["contacts"]] == ["+8613800000004", "+8613800000006"]
        assert (CONTACT_NAME, 2, 2) in found["identities"]
        assert sum(kind == MOBILE for kind, _slot, _customer in found["identities"]) == 4
        assert problems(run) == []


@pytest.mark.parametrize("mode", ["create", "upsert", "update"])
def test_a_dry_run_says_what_the_run_then_does_and_writes_nothing(folder: Path, mode: str) -> None:
    with workspaces.running(folder) as run:
        do_import(run, ROWS[:3], "create", 20_000)
        before = contents(run)
    with workspaces.running(folder, dry_run=True) as run:
        foretold = do_import(run, ROWS, mode, 2, Rehearsal)

        assert contents(run) == before
    with workspaces.running(folder) as run:
        assert do_import(run, ROWS, mode, 3).counts == foretold.counts
        assert problems(run) == []
