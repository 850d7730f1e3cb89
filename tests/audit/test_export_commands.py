"""`audit export` and `audit verify --bundle`, typed in, on both databases."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import workspaces
from golden import Result, call
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine, select, text

from crmctl.audit.tables import audit_entry, look
from crmctl.store.engine import open_engine, write

SHEET = """company,contact,mobile,email,region
北京某某科技有限公司,张三,13912345678,a@example.cn,北京
Acme Ltd,John,13712345679,b@example.cn,上海
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Engine]]:
    """A workspace with two customers, listed, and its database."""
    name = ""
    url = f"sqlite:///{tmp_path / 'w' / 'data' / 'crmctl.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create(request.getfixturevalue("_postgres_template"))
        url = server.url(name)
    folder = workspaces.make(tmp_path / "w", url if name else "")
    engine = open_engine(url)
    made = (folder, engine)
    sheet = tmp_path / "customers.csv"
    sheet.write_text(SHEET, encoding="utf-8")
    assert crmctl(made, "customer", "import", str(sheet)).exit_code == 0
    assert crmctl(made, "customer", "list").exit_code == 0
    yield made
    engine.dispose()
    if name:
        server.drop(name)


def crmctl(place: tuple[Path, Engine], *arguments: str) -> Result:
    return call(["-w", str(place[0]), *arguments])


def bodies(place: tuple[Path, Engine]) -> list[str]:
    with place[1].connect() as conn:
        return list(conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars())


def newest(place: tuple[Path, Engine]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(bodies(place)[-1])
    return loaded


def test_lists_commit_to_whom_they_showed(place: tuple[Path, Engine]) -> None:
    with place[1].connect() as conn:
        shown = conn.execute(select(look.c.customer_id, look.c.run_id).order_by(look.c.position)).all()
    entry = newest(place)
    assert [row.customer_id for row in shown] == [1, 2]
    assert (entry["act"], entry["looks"], entry["n"]) == ("customer.list", 2, 2)
    assert {row.run_id for row in shown} == {entry["run"]}
    assert crmctl(place, "audit", "verify", "--rows").exit_code == 14
    crmctl(place, "customer", "find", "--company", "Acme")
    found = json.loads(crmctl(place, "audit", "list", "--customer", "C-000001", "-o", "json").stdout)
    assert [body["act"] for body in found["entries"]] == ["customer.list", "customer.import"]
    found = json.loads(crmctl(place, "audit", "list", "--customer", "C-000002", "-o", "json").stdout)
    assert [body["act"] for body in found["entries"]] == ["customer.find", "customer.list", "customer.import"]


def test_the_log_to_standard_output(place: tuple[Path, Engine]) -> None:
    before = bodies(place)
    result = crmctl(place, "audit", "export")
    assert (result.exit_code, result.stdout.splitlines(), result.stderr) == (0, before, "")
    assert newest(place) | {"seq": 0, "prev": ""} == newest(place) | {
        "seq": 0,
        "prev": "",
        "act": "audit.export",
        "n": len(before),
    }


def test_the_other_forms(place: tuple[Path, Engine], tmp_path: Path) -> None:
    number = len(bodies(place))
    events = crmctl(place, "audit", "export", "--format", "ocsf").stdout.splitlines()
    assert [json.loads(line)["metadata"]["sequence"] for line in events] == list(range(number))
    rows = list(csv.reader(io.StringIO(crmctl(place, "audit", "export", "--format", "csv").stdout)))
    assert (len(rows), rows[0][0], rows[1][3]) == (number + 2, "No.", "init")
    out = tmp_path / "log.xlsx"
    told = json.loads(crmctl(place, "audit", "export", "--format", "xlsx", "--out", str(out), "-o", "json").stdout)
    assert (told["file"], told["entries"], told["format"]) == (str(out), number + 2, "xlsx")
    sheet = CalamineWorkbook.from_path(out).get_sheet_by_index(0).to_python()
    assert (len(sheet), sheet[1][3]) == (number + 3, "init")
    assert out.stat().st_mode & 0o777 == 0o600
    assert crmctl(place, "audit", "export", "--format", "csv", "--out", str(out)).exit_code == 1
    assert len(bodies(place)) == number + 4, "nothing left, so nothing was logged"
    first, last = map(json.loads, bodies(place)[-2:])
    assert (first["result"], last["result"], last["obj"]) == ("begun", "done", f"copy:{told['copy']}")
    assert last["source"] == told["sha256"] == sha256(out.read_bytes()).hexdigest()


def test_a_bundle_and_its_verification(place: tuple[Path, Engine], tmp_path: Path) -> None:
    bundle, pin = tmp_path / "b", tmp_path / "pin.note"
    refused = crmctl(place, "audit", "export", "--bundle", str(bundle))
    assert (refused.exit_code, bundle.exists()) == (1, False)
    assert "crmctl audit checkpoint" in refused.stderr
    assert crmctl(place, "audit", "checkpoint").exit_code == 0
    result = crmctl(place, "audit", "export", "--bundle", str(bundle), "--customer", "C-000002", "-o", "json")
    told = json.loads(result.stdout)
    manifest = sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    assert (told["kind"], told["manifest_sha256"], told["entries"]) == ("customer", manifest, 2)
    entry = newest(place)
    assert (entry["act"], entry["source"], entry["obj"]) == ("audit.export", manifest, "customer:2")
    pin.write_bytes((bundle / "checkpoints.txt").read_bytes())
    key = str(place[0] / "signer.vkey")
    words = ["audit", "verify", "--bundle", str(bundle), "--key", key, "--pin", str(pin)]
    found = call([*words, "-o", "json"])
    assert found.exit_code == 0, found.stderr
    assert {name: json.loads(found.stdout)[name] for name in ("ok", "kind", "problems")} == {
        "ok": True, "kind": "customer", "problems": [],
    }  # fmt: skip
    assert "valid, and signed to the end" in call(words).stdout
    assert call([*words, "--whole"]).exit_code == 13
    summary = (bundle / "summary.en.md").read_text("utf-8")
    (bundle / "summary.en.md").write_text(summary.replace("import", "list"), "utf-8")
    broken = call(words)
    assert broken.exit_code == 13
    assert "FILE_CHANGED" in broken.stdout and "NOT VALID: 1 problems" in broken.stdout


def test_no_personal_value_leaves_with_it(place: tuple[Path, Engine], tmp_path: Path) -> None:
    crmctl(place, "audit", "checkpoint")
    for number, more in enumerate(((), ("--customer", "1"))):
        bundle = tmp_path / f"b{number}"
        assert crmctl(place, "audit", "export", "--bundle", str(bundle), *more).exit_code == 0
        whole = b"".join(path.read_bytes() for path in bundle.iterdir())
        assert [value for value in ("张三", "13912345678", "a@example.cn", "某某科技") if value.encode() in whole] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--bundle", "b", "--out", "f"], 2),
        (["--bundle", "b", "--format", "csv"], 2),
        (["--bundle", "b", "--customer", "1", "--from", "2026-01-01"], 2),
        (["-o", "json"], 2),
        (["--from", "soon"], 4),
        (["--customer", "张伟"], 4),
        (["--purpose", "nonsense"], 4),
        (["--recipient", "nonsense"], 4),
    ],
)
def test_what_does_not_fit(place: tuple[Path, Engine], words: list[str], code: int) -> None:
    result = crmctl(place, "audit", "export", *words)
    assert (result.exit_code, result.stdout) == (code, "")


def test_the_policy_may_demand_recipient_and_purpose(place: tuple[Path, Engine]) -> None:
    policy = place[0] / "policies" / "audit.yaml"
    changed = re.sub(r"export_needs: \[\]", "export_needs: [recipient, purpose]", policy.read_text("utf-8"))
    policy.write_text(changed, encoding="utf-8")
    result = crmctl(place, "audit", "export")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "--recipient, --purpose" in result.stderr
    assert (newest(place)["result"], newest(place)["codes"]) == ("denied", ["EXPORT_NEEDS"])


def test_no_entry_no_export(place: tuple[Path, Engine], tmp_path: Path) -> None:
    """Fail closed: a log that takes no entry gives nothing away."""
    crmctl(place, "audit", "checkpoint")
    with write(place[1]) as conn:
        conn.execute(text("UPDATE audit_head SET last_leaf = frontier WHERE size > 1"))
        conn.execute(text("UPDATE audit_entry SET leaf = prev WHERE seq = 1"))
    for words in ([], ["--out", str(tmp_path / "f")], ["--bundle", str(tmp_path / "b")]):
        result = crmctl(place, "audit", "export", *words)
        assert (result.exit_code, result.stdout) == (13, "")
    assert not (tmp_path / "f").exists() and not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--bundle", "b"], 2),
        (["--key", "k", "--pin", "p"], 2),
        (["--bundle", "b", "--key", "k", "--pin", "p", "--rows"], 2),
        (["--bundle", ".", "--key", "k+k", "--pin", "p"], 4),
    ],
)
def test_verify_needs_what_is_yours(words: list[str], code: int) -> None:
    assert call(["audit", "verify", *words]).exit_code == code
