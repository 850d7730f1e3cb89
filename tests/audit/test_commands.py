"""`audit list` and `audit verify`, typed in, on both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden import Result, call
from sqlalchemy import Engine, insert, select, text

from crmctl.audit.tables import audit_entry
from crmctl.customers.tables import customer
from crmctl.store.engine import write


def crmctl(place: tuple[Path, Engine], *arguments: str) -> Result:
    return call(["-w", str(place[0]), *arguments])


def document(result: Result) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def acts(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as conn:
        bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars()
        return [(entry["act"], entry["result"]) for entry in map(json.loads, bodies)]


def test_a_fresh_log_is_valid_and_unsigned(place: tuple[Path, Engine]) -> None:
    result = crmctl(place, "audit", "verify", "--rows", "-o", "json")
    assert result.exit_code == 14
    told = document(result)
    assert told["schema"] == "crmctl/audit-verify/1"
    assert isinstance(told["run_id"], int)
    assert {key: told[key] for key in ("ok", "entries", "signed", "unsigned", "changes", "rows", "problems")} == {
        "ok": True, "entries": 1, "signed": 0, "unsigned": 1, "changes": 0, "rows": 0, "problems": [],
    }  # fmt: skip
    assert acts(place[1]) == [("init", "done"), ("audit.verify", "done")]


def test_verify_says_what_is_wrong(place: tuple[Path, Engine]) -> None:
    with write(place[1]) as conn:
        conn.execute(text("UPDATE audit_entry SET body = replace(body, 'init', 'exit')"))
    result = crmctl(place, "audit", "verify")
    assert result.exit_code == 13
    assert "ENTRY_CHANGED  entry:0" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("NOT VALID: ")
    again = document(crmctl(place, "audit", "verify", "-o", "json"))
    assert not again["ok"]
    assert {"code": "ENTRY_CHANGED", "subject": "entry:0", "message": "its text does not give its leaf"} in again[
        "problems"
    ]


def test_a_row_put_in_behind_our_back_is_found(place: tuple[Path, Engine]) -> None:
    values = {"customer_id": 5, "type": "enterprise", "status": "draft", "version": 1, "derived_version": 0}
    at = {"created_at": _now(), "updated_at": _now()}
    with write(place[1]) as conn:
        conn.execute(insert(customer).values(**values, **at, sealed=b"x", sealed_hash=b"y"))
    assert crmctl(place, "audit", "verify", "--changes").exit_code == 14
    result = crmctl(place, "audit", "verify", "--rows", "-o", "json")
    assert result.exit_code == 13
    assert [problem["code"] for problem in document(result)["problems"]] == ["ROW_UNLOGGED"]


def _now() -> Any:
    from crmctl import clock

    return clock.now()


SHEET = """company,contact,mobile,email,region
北京某某科技有限公司,张三,13912345678,a@example.cn,北京
Acme Ltd,John,13712345679,b@example.cn,上海
"""


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("UPDATE customer SET tier = 'core' WHERE customer_id = 2", "ROW_CHANGED"),
        ("UPDATE customer SET sealed = (SELECT sealed FROM customer WHERE customer_id = 1)", "ROW_SEALED"),
        ("DELETE FROM contact WHERE customer_id = 1", "ROW_MISSING"),
    ],
)
def test_imported_rows_edited_behind_our_back(place: tuple[Path, Engine], tmp_path: Path, edit: str, code: str) -> None:
    """What an import wrote verifies; one statement of sqlite3 or psql later it does not."""
    sheet = tmp_path / "customers.csv"
    sheet.write_text(SHEET, encoding="utf-8")
    assert crmctl(place, "customer", "import", str(sheet)).exit_code == 0
    honest = crmctl(place, "audit", "verify", "--rows", "-o", "json")
    assert (honest.exit_code, document(honest)["rows"]) == (14, 4)
    with write(place[1]) as conn:
        conn.execute(text(edit))
    found = crmctl(place, "audit", "verify", "--rows", "-o", "json")
    assert found.exit_code == 13
    assert code in {problem["code"] for problem in document(found)["problems"]}


def test_quiet_is_for_good_news(place: tuple[Path, Engine]) -> None:
    """Under cron a mail comes only when something is wrong."""
    good = crmctl(place, "-q", "audit", "verify")
    assert (good.exit_code, good.stdout, good.stderr) == (14, "", "")
    with write(place[1]) as conn:
        conn.execute(text("DELETE FROM audit_head"))
    bad = crmctl(place, "-q", "audit", "verify")
    assert bad.exit_code == 13
    assert "HEAD_MISSING" in bad.stdout


def test_a_log_that_takes_no_entry_is_still_verified(place: tuple[Path, Engine]) -> None:
    with write(place[1]) as conn:
        conn.execute(text("UPDATE audit_head SET size = 7"))
    result = crmctl(place, "audit", "verify", "-o", "json")
    assert (result.exit_code, document(result)["run_id"]) == (13, None)
    assert "this verification is not in the log" in result.stderr


def test_an_empty_log_fails(place: tuple[Path, Engine]) -> None:
    with write(place[1]) as conn:
        conn.execute(text("DELETE FROM audit_entry"))
        conn.execute(text("DELETE FROM audit_head"))
    result = crmctl(place, "audit", "verify", "-o", "json")
    assert result.exit_code == 13
    assert [problem["code"] for problem in document(result)["problems"]] == ["LOG_EMPTY"]


def test_list_is_itself_an_entry(place: tuple[Path, Engine]) -> None:
    first = document(crmctl(place, "audit", "list", "-o", "json"))
    assert [entry["act"] for entry in first["entries"]] == ["init"]
    second = document(crmctl(place, "audit", "list", "-o", "json", "--customer", "C-000007"))
    assert second["entries"] == []
    third = document(crmctl(place, "audit", "list", "-o", "json", "--action", "audit.*", "--outcome", "done"))
    assert [(e["seq"], e["act"], e["obj"], e["n"]) for e in third["entries"]] == [
        (2, "audit.list", "customer:7", 0), (1, "audit.list", None, 1)
    ]  # fmt: skip
    assert third["run_id"] == second["run_id"] + 1


def test_list_pages_and_forms(place: tuple[Path, Engine]) -> None:
    for _ in range(3):
        crmctl(place, "audit", "list")
    page = crmctl(place, "audit", "list", "--limit", "2")
    assert page.stdout.splitlines()[-1] == "more: --before 2"
    rest = crmctl(place, "audit", "list", "--before", "2", "-o", "ndjson")
    assert [json.loads(line)["seq"] for line in rest.stdout.splitlines()] == [1, 0]
    assert "Purpose" not in page.stdout
    sheet = crmctl(place, "audit", "list", "--limit", "1", "-o", "csv", "--headers", "code")
    about = "obj,about,granted,revoked,n,fields,purpose,recipient,ticket,codes"
    assert sheet.stdout.splitlines()[0] == f"seq,at,person,act,result,{about},run,batch"


def test_list_narrows_by_time(place: tuple[Path, Engine]) -> None:
    for option in (["--to", "2020-01-01"], ["--from", "2999-01-01"], ["--as-of", "2020-01-01"]):
        assert document(crmctl(place, "audit", "list", "-o", "json", *option))["entries"] == []
    assert crmctl(place, "audit", "list", "--from", "soon").exit_code == 4
    assert crmctl(place, "audit", "list", "--customer", "张伟").exit_code == 4


def test_who_may_not_is_refused_and_that_is_an_entry(place: tuple[Path, Engine]) -> None:
    access = place[0] / "policies" / "access.yaml"
    access.write_text(
        access.read_text(encoding="utf-8").replace("audit.list", "audit.look").replace("audit.*", "audit.x")
    )
    result = crmctl(place, "audit", "list")
    assert result.exit_code == 6
    assert acts(place[1])[-1] == ("audit.list", "denied")


def test_listing_survives_an_entry_that_was_tampered_with(place: tuple[Path, Engine]) -> None:
    with write(place[1]) as conn:
        conn.execute(text('UPDATE audit_entry SET body = replace(body, \'"ts":"2\', \'"ts":"x\')'))
    assert crmctl(place, "audit", "list").exit_code == 0


def test_the_raw_log_is_its_exact_bytes(place: tuple[Path, Engine]) -> None:
    crmctl(place, "audit", "list")
    given = crmctl(place, "audit", "list", "--raw")
    with place[1].connect() as conn:
        bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars().all()
    assert given.stdout == "".join(f"{body}\n" for body in bodies)
    assert (len(bodies), json.loads(bodies[-1])["act"], json.loads(bodies[-1])["n"]) == (3, "audit.list", 3)
    newer = crmctl(place, "audit", "list", "--raw", "--after", "1")
    assert [json.loads(line)["seq"] for line in newer.stdout.splitlines()] == [2, 3]
    assert [json.loads(line)["n"] for line in newer.stdout.splitlines()] == [3, 2]
    assert crmctl(place, "audit", "list", "--raw", "--after", "999").stdout == ""


@pytest.mark.parametrize("extra", [["--who", "a"], ["-o", "json"], ["--as-of", "2026-01-01"], ["--customer", "5"]])
def test_the_raw_log_takes_no_filter(place: tuple[Path, Engine], extra: list[str]) -> None:
    assert crmctl(place, "audit", "list", "--raw", *extra).exit_code == 2
    assert crmctl(place, "audit", "list", "--after", "5").exit_code == 2
