"""Owners that a customer file names: who is adopted, when, what is on record; nobody is guessed, nobody taken away."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import workspaces
from golden import call
from sqlalchemy import select, update

from crmctl.audit.tables import change
from crmctl.audit.verify import verify
from crmctl.customers import live
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.owners.applying import Applied, Move, apply
from crmctl.sheets import batches
from crmctl.sheets.origin import Request
from crmctl.store import engine

AMBIGUOUS, UNFIT = "OWNER_AMBIGUOUS", "OWNER_UNFIT"
STAFF = """\
number,name,wecom_id,trained_on,signed_on,left_on
E1,周样例,zhou,2026-01-05,2026-01-05,
E2,同名,tong,2026-01-05,2026-01-05,
E3,同名,,2026-01-05,2026-01-05,
E4,未培训,,,2026-01-05,
E5,已离职,,2025-01-05,2025-01-05,2025-12-31
E6,休假,,2026-01-05,2026-01-05,
"""
# What a cell says → (staff id of the owner, the text that is kept, flag)
MEANT: dict[str, tuple[int | None, str | None, str]] = {
    "E1": (1, "E1", ""),
    "ｅ１": (1, "e1", ""),
    "zhou": (1, "zhou", ""),
    "周样例": (1, "周样例", ""),
    "周 样 例": (1, "周 样 例", ""),
    "S-000002": (2, "S-000002", ""),
    "tong": (2, "tong", ""),
    "E3": (3, "E3", ""),
    "同名": (None, None, AMBIGUOUS),
    "外部代理": (None, "外部代理", ""),
    "未培训": (None, "未培训", UNFIT),
    "E5": (None, "E5", UNFIT),
    "休假": (6, "休假", ""),
    "": (None, None, ""),
}


class Stands(NamedTuple):
    """A customer as it stands: staff id of the owner, the text of the field, flags."""

    owner: int | None
    text: str | None
    flags: str


@pytest.fixture
def folder(tmp_path: Path, bare_database_url: str) -> Path:
    """A workspace on each database, with six on the staff register: E1 to E6 are staff 1 to 6; E6 is away."""
    place = workspaces.make(tmp_path / "w", "" if bare_database_url.startswith("sqlite") else bare_database_url)
    sheet = tmp_path / "staff.csv"
    sheet.write_text(STAFF, "utf-8")
    assert run(place, "staff", "import", str(sheet))["rejected"] == 0
    away = ("staff", "absence", "add", "E6", "--from", "2026-01-01", "--until", "2030-12-31")
    assert call(["-w", str(place), *away]).exit_code == 0
    return place


def run(folder: Path, *words: str) -> Any:
    done = call(["-w", str(folder), *words, "-o", "json"])
    assert done.exit_code in (0, 3), done.stderr
    return json.loads(done.stdout)


def sheet(folder: Path, rows: list[tuple[str, str]]) -> Path:
    """Write a file of companies and their owners."""
    text = io.StringIO()
    csv.writer(text).writerows([("客户类型", "公司名称", "负责人"), *(("企业客户", *row) for row in rows)])
    path = folder.parent / "customers.csv"
    path.write_text(text.getvalue(), "utf-8")
    return path


def bring(folder: Path, rows: list[tuple[str, str]], mode: str = "upsert", *more: str) -> Any:
    return run(folder, "customer", "import", str(sheet(folder, rows)), "--mode", mode, *more)


def stand(folder: Path) -> dict[str, Stands]:
    """Return every company as it stands, after looking that customers, history of owners and log are of one mind."""
    with workspaces.running(folder, "customer list", dry_run=True) as reading:
        assert [problem.message for problem in verify(reading.engine, changes=True, rows=True).problems] == []
        with engine.read(reading.engine) as conn:
            found = conn.execute(select(customer)).mappings().all()
            owned = conn.execute(select(ownership).where(ownership.c.until_at.is_(None))).mappings().all()
            changed = {row.change_id: (row.object, row.customer_id) for row in conn.execute(select(change))}
    owners = [(row["customer_id"], row["owner_id"]) for row in found if row["owner_id"] is not None]
    assert sorted((row["customer_id"], row["staff_id"]) for row in owned) == sorted(owners)
    assert {row["ownership_id"]: ("customer", row["customer_id"]) for row in owned}.items() <= changed.items()
    return {
        str(row["company_name"]): Stands(
            row["owner_id"], json.loads(row["attributes"] or "{}").get("owner_name"), row["flags"] or ""
        )
        for row in found
    }


def bare(stands: dict[str, Stands]) -> dict[str, Stands]:
    """Return the same without the flag of those who have no keys but a name."""
    return {name: each._replace(flags=each.flags.replace("NO_IDENTITY", "").strip()) for name, each in stands.items()}


def lose(folder: Path, number: int, owner: int) -> None:
    """Let a customer go back to its pool."""
    with workspaces.running(folder, "owner reclaim") as changing:
        apply(changing, [Move(number, owner, None, "reclaim")], Applied())


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_whoever_is_meant_and_may_own_becomes_the_owner(folder: Path, mode: str) -> None:
    rows = [(f"第{number}样例有限公司", cell) for number, cell in enumerate(MEANT)]
    done = bring(folder, rows, mode)
    assert (done["created"], done["rejected"]) == (len(MEANT), 0)
    wanted = {name: Stands(*MEANT[cell]) for name, cell in rows}
    assert bare(stand(folder)) == wanted
    assert done["flagged"] == sum(bool(each.flags) for each in wanted.values())
    for flag in (AMBIGUOUS, UNFIT):
        listed = run(folder, "customer", "list", "--flag", flag)["customers"]
        assert {row["name"] for row in listed} == {name for name, each in wanted.items() if each.flags == flag}
    without = run(folder, "owner", "list", "--without")["without"]
    assert without == sum(each.owner is None for each in wanted.values())


def test_what_is_on_record(folder: Path) -> None:
    done = bring(folder, [("甲一样例有限公司", "E1")])
    with workspaces.running(folder, "customer list", dry_run=True) as reading, engine.read(reading.engine) as conn:
        (row,) = conn.execute(select(ownership)).mappings()
        person = reading.actor.person
    kept = {name: row[name] for name in ("customer_id", "staff_id", "role", "reason", "rule", "policy", "inputs")}
    assert kept == {
        "customer_id": 1, "staff_id": 1, "role": "owner", "reason": "import", "rule": "", "policy": "", "inputs": "{}"
    }  # fmt: skip
    assert (row["policy_version"], row["runner_up_id"], row["run_id"]) == (0, None, done["run_id"])
    assert (row["until_at"], row["ordered_by"]) == (None, person)
    for language, word in (("en", "named in an import"), ("zh", "导入时指定")):
        assert word in call(["-w", str(folder), "--lang", language, "owner", "history", "1"]).stdout
    # The customers of whom a company knows who looks after them stay with them.
    held = {each["number"]: each["customers"] for each in run(folder, "owner", "workload")["staff"]}
    assert {number for number, customers in held.items() if customers} == {"E1"}


def test_an_individual_has_an_owner_as_well(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("姓名,手机,负责人\n王样例,13800000001,zhou\n李样例,13800000002,同名\n", "utf-8")
    run(folder, "customer", "import", str(path))
    shown = [run(folder, "customer", "show", number)["customer"] for number in ("1", "2")]
    assert [(each.get("owner_id"), each.get("owner_name")) for each in shown] == [(1, "zhou"), (None, None)]


def test_an_older_customer_gets_an_owner_only_where_it_has_none_and_the_file_says_so_newly(folder: Path) -> None:
    names = [f"第{number}样例有限公司" for number in range(1, 6)]
    nobody, owned, lost, agent, flagged = names
    bring(folder, [(nobody, ""), (owned, "E1"), (lost, "E1"), (agent, "外部代理"), (flagged, "同名")])
    lose(folder, 3, 1)
    before = stand(folder)
    assert [before[name].owner for name in names] == [None, 1, None, None, None]

    # The same file again: the customer that was lost does not slip back, and nothing is different.
    again = [(nobody, ""), (owned, "E1"), (lost, "E1"), (agent, "外部代理"), (flagged, "同名")]
    assert bring(folder, again)["unchanged"] == 5
    assert stand(folder) == before

    # Another file: nobody who has an owner loses it; the texts follow the file.
    done = bring(folder, [(name, "E2") for name in names], "update")
    assert done["updated"] == 5
    assert bare(stand(folder)) == {name: Stands(1 if name == owned else 2, "E2", "") for name in names}
    assert bring(folder, [(name, "E2") for name in names], "update")["unchanged"] == 5


def test_the_register_may_change_between_two_imports_of_a_file(folder: Path) -> None:
    """Who has an owner keeps it, without a flag; who waits for one gets whoever is meant by then."""
    rows = [("甲一样例有限公司", "周样例"), ("乙二样例有限公司", "E2"), ("丙三样例有限公司", "同名")]
    bring(folder, rows)
    before = stand(folder)
    add = ("--trained-on", "2026-01-05", "--signed-on", "2026-01-05")
    assert call(["-w", str(folder), "staff", "add", "--number", "E7", "--name", "周样例", *add]).exit_code == 0
    assert call(["-w", str(folder), "staff", "deactivate", "E2", "--left-on", "2026-01-06"]).exit_code == 0
    assert bring(folder, rows)["unchanged"] == 3
    assert stand(folder) == before
    lose(folder, 2, 2)  # a former owner who has left is no reason for a flag either
    before = stand(folder)
    assert bring(folder, rows)["unchanged"] == 3
    assert stand(folder) == before

    assert call(["-w", str(folder), "staff", "update", "E3", "--name", "无人同名"]).exit_code == 0
    assert bring(folder, [("丙三样例有限公司", "同名")], "update")["updated"] == 1
    assert bare(stand(folder))["丙三样例有限公司"] == Stands(None, "同名", f"{AMBIGUOUS} {UNFIT}")
    assert bring(folder, [("丙三样例有限公司", "E3")], "update")["updated"] == 1
    assert bare(stand(folder))["丙三样例有限公司"] == Stands(3, "E3", "")


def test_a_flag_goes_when_its_reason_does(folder: Path) -> None:
    """By an owner from elsewhere, by training, by another name in the file; who is cancelled gets nobody."""
    one, two, three, four = (f"第{number}样例有限公司" for number in "一二三四")
    bring(folder, [(one, "未培训"), (two, "未培训"), (three, "未培训"), (four, "外部代理")])
    with workspaces.running(folder, "owner assign") as changing:
        apply(changing, [Move(1, None, 1, "assign")], Applied())
    assert bring(folder, [(one, "未培训")])["updated"] == 1
    assert bring(folder, [(three, "外部代理")])["updated"] == 1
    assert call(["-w", str(folder), "staff", "update", "E4", "--trained-on", "2026-01-05"]).exit_code == 0
    with workspaces.running(folder, "customer list", dry_run=True) as changing, engine.write(changing.engine) as conn:
        conn.execute(update(customer).where(customer.c.customer_id == 4).values(status="cancelled"))
    assert bring(folder, [(two, "未培训")])["updated"] == 1
    bring(folder, [(four, "E1")])
    with workspaces.running(folder, "customer list", dry_run=True) as reading, engine.read(reading.engine) as conn:
        found = conn.execute(select(customer.c.owner_id, customer.c.flags).order_by(customer.c.customer_id)).all()
    flags = [(row.flags or "").replace("NO_IDENTITY", "").strip() for row in found]
    assert ([row.owner_id for row in found], flags) == ([1, 4, None, None], ["", "", "", ""])


MIXED = [
    ("甲一样例有限公司", ""), ("乙二样例有限公司", "E1"), ("甲一样例有限公司", "E2"), ("丙三样例有限公司", "同名"),
    ("甲一样例有限公司", "E3"), ("乙二样例有限公司", "E5"), ("丙三样例有限公司", "zhou"),
    ("丁四样例有限公司", "外部代理"), ("丁四样例有限公司", "E6"), ("戊五样例有限公司", "未培训"),
    ("戊五样例有限公司", "未培训"),
]  # fmt: skip
UPSERTED = {
    "甲一样例有限公司": Stands(2, "E3", ""),
    "乙二样例有限公司": Stands(1, "E5", ""),
    "丙三样例有限公司": Stands(1, "zhou", ""),
    "丁四样例有限公司": Stands(6, "E6", ""),
    "戊五样例有限公司": Stands(None, "未培训", UNFIT),
}


@pytest.mark.parametrize("chunk", ["1", "3", "1000"])
def test_chunks_and_the_dry_run_make_no_difference(folder: Path, chunk: str) -> None:
    told = bring(folder, MIXED, "upsert", "--chunk", chunk, "--dry-run")
    assert stand(folder) == {}
    done = bring(folder, MIXED, "upsert", "--chunk", chunk)
    outcomes = ("created", "updated", "unchanged", "duplicate", "rejected", "flagged")
    assert [told[name] for name in outcomes] == [done[name] for name in outcomes]
    assert bare(stand(folder)) == UPSERTED
    told = bring(folder, MIXED[::-1], "update", "--chunk", chunk, "--dry-run")
    done = bring(folder, MIXED[::-1], "update", "--chunk", chunk)
    assert [told[name] for name in outcomes] == [done[name] for name in outcomes]
    assert {name: each.owner for name, each in stand(folder).items()} == {
        name: each.owner for name, each in UPSERTED.items()
    }


def test_a_chunk_is_written_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged, log = [], batches.log

    def failing(*given: Any) -> None:
        logged.append(given)
        if len(logged) == 2:
            raise KeyboardInterrupt
        log(*given)

    rows = [(f"第{number}样例有限公司", "E1") for number in range(6)]
    words = ["-w", str(folder), "customer", "import", str(sheet(folder, rows)), "--chunk", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(batches, "log", failing)
        assert call(words).exit_code == 130
    assert [each.owner for each in stand(folder).values()] == [1, 1]
    assert run(folder, "batch", "resume", "2")["created"] == 6
    assert [each.owner for each in stand(folder).values()] == [1] * 6


@pytest.mark.parametrize("cell", ["E1", "外部代理"])
def test_an_owner_given_meanwhile_is_not_lost(folder: Path, monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    """`owner assign` need not wait for an import: whichever comes second sees what the first one did."""
    bring(folder, [("甲一样例有限公司", "")])
    write = live.apply.apply

    def later(*given: Any) -> None:
        monkeypatch.undo()
        with workspaces.running(folder, "owner assign") as changing:
            apply(changing, [Move(1, None, 3, "assign")], Applied())
        write(*given)

    monkeypatch.setattr(live.apply, "apply", later)
    words = ["-w", str(folder), "customer", "import", str(sheet(folder, [("甲一样例有限公司", cell)]))]
    done = call([*words, "--mode", "update", "-o", "json"])
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (11, "CHANGED_MEANWHILE")
    assert bare(stand(folder)) == {"甲一样例有限公司": Stands(3, None, "")}
    assert run(folder, "batch", "resume", "3")["updated"] == 1
    assert bare(stand(folder)) == {"甲一样例有限公司": Stands(3, cell, "")}


def test_a_second_process_reads_the_register_too(folder: Path) -> None:
    from crmctl.customers import intake

    rows = [(f"第{number}样例有限公司", cell) for number, cell in enumerate(MEANT)]
    with workspaces.running(folder, dry_run=True) as reading:
        wanted = intake.start(reading, Request(str(sheet(folder, rows)), second_process=False), lambda _rows: None)
    with workspaces.running(folder) as changing:
        done = intake.start(changing, Request(str(sheet(folder, rows)), second_process=True), lambda _rows: None)
    assert done.counts == wanted.counts
    assert bare(stand(folder)) == {name: Stands(*MEANT[cell]) for name, cell in rows}


def expected(known: dict[str, Stands], name: str, cell: str, mode: str) -> Stands | None:
    """Return what a row makes of a company, told anew: the oracle of the test below."""
    owner, text, flag = MEANT[cell]
    if name not in known:
        return None if mode == "update" else Stands(owner, text, flag)
    held, stood, flags = known[name]
    if mode == "create":
        return known[name]
    flags = set(flags.split())
    newly = text is not None and text != stood
    if held is None and flag and (flag == AMBIGUOUS or newly):
        flags.add(flag)
    if held is None and newly and not flag:
        held, flags = owner, set()
    return Stands(held, text or stood, " ".join(sorted(flags)))


@pytest.mark.parametrize("seed", [1, 2])
def test_any_sequence_of_files_gives_each_customer_the_owner_first_named(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"第{number}样例有限公司" for number in range(12)]
    known: dict[str, Stands] = {}
    for _file in range(8):
        mode = chance.choice(["create", "update", "upsert", "upsert"])
        rows = [(chance.choice(names), chance.choice([*MEANT])) for _row in range(chance.randint(1, 25))]
        bring(folder, rows, mode, "--chunk", str(chance.choice([1, 2, 7, 1000])))
        for name, cell in rows:
            stands = expected(known, name, cell, mode)
            if stands is not None:
                known[name] = stands
        assert bare(stand(folder)) == known
