"""`customer export`: what may leave, how it looks, what is known of it afterwards; and back again by import."""

from __future__ import annotations

import csv
import io
import json
import signal
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
import workspaces
from desks import ADMIN, AUDITOR, CUSTOMERS, OTHER, PERSONAL, STEWARD, SUPERVISOR, Desk, imported
from golden import call
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from crmctl import files, policy
from crmctl.audit.tables import look
from crmctl.cli.invocation import Invocation
from crmctl.customers import exporting, facts, tables
from crmctl.customers.columns import CONTACT_CLEAR, CUSTOMER_CLEAR, clear_of
from crmctl.customers.merge import CONTACT_SEALED, CUSTOMER_SEALED
from crmctl.errors import Interrupted
from crmctl.runs import run as runs
from crmctl.runs.tables import denial
from crmctl.security.sealing import Sealer
from crmctl.sheets.formats.texts import inert, unquoted
from crmctl.store import engine
from crmctl.use.tables import copy_register, use_record, use_request

FIELDS = "type,company_name,name,mobile,email,annual_amount"
TO = ("--recipient", "sales", "--purpose", "contact")


def exported(desk: Desk, name: str, *words: object, uid: int = STEWARD, status: int = 0) -> Path:
    """Export to a file beside the workspace."""
    out = desk.folder.parent / name
    done = desk.say(uid, "customer", "export", *words, "--out", out)
    assert done.exit_code == status, done
    assert done.stdout == "" or "-o" in words
    return out


def lines(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file."""
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def refused(desk: Desk, *words: object, uid: int = STEWARD, status: int = 6) -> str:
    """Return the code with which an export is refused; there is no file then, nor anything half-written."""
    before = sorted(desk.folder.parent.iterdir())
    done = desk.say(uid, "customer", "export", *words, "--out", desk.folder.parent / "no.csv", "-o", "json")
    assert (done.exit_code, done.stdout) == (status, ""), done
    assert sorted(desk.folder.parent.iterdir()) == before
    return str(json.loads(done.stderr)["code"])


def test_a_file_for_people(desk: Desk) -> None:
    out = exported(desk, "out.csv", "--fields", FIELDS, *TO, "--headers", "zh")

    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    assert out.read_bytes().endswith(b"\r\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert lines(out) == [
        ["客户类型", "公司名称", "对接人", "手机号", "邮箱", "年合作额(元)"],
        ["企业客户", "杭州示例科技有限公司", "王小明", "'+8613812345678", "wang.xm@example.com", "120000.50"],
        ["企业客户", "杭州示例科技有限公司", "李四光", "'+8613912345679", "li.sg@example.com", "120000.50"],
        ["个人客户", "", "张三丰", "'+8613712345670", "zhang.sf@example.com", "99.00"],
        ["个人客户", "", "赵敏敏", "'+8613612345671", "", ""],
    ]


def test_what_is_known_of_the_file(desk: Desk) -> None:
    out = exported(desk, "out.csv", "--fields", FIELDS, *TO)

    (copy,) = desk.rows(select(copy_register))
    (record,) = desk.rows(select(use_record))
    begun, done = desk.entries("customer.export")
    assert (copy["sha256"], copy["bytes"]) == (sha256(out.read_bytes()).hexdigest(), out.stat().st_size)
    assert (copy["kind"], copy["rows"], copy["person"], copy["recipient"], copy["purpose"]) == (
        "export", 4, "li.na", "sales", "contact",
    )  # fmt: skip
    assert orjson.loads(copy["fields"]) == FIELDS.split(",")
    assert (record["act"], record["rows"], record["recipient"]) == ("customer.export", 3, "sales")
    wanted = {"n": 3, "fields": FIELDS.split(","), "purpose": "contact", "recipient": "sales", "looks": 3}
    assert wanted.items() <= begun.items()
    assert (begun["result"], begun["codes"]) == ("begun", ["PERSONAL_IN_FULL"])
    assert (done["result"], done["source"], done["obj"]) == ("done", copy["sha256"], f"copy:{copy['copy_id']}")
    looks = {row["customer_id"] for row in desk.rows(select(look).where(look.c.run_id == begun["run"]))}
    assert looks == {1, 2, 3}
    assert [value for value in PERSONAL if value.encode() in b"".join(desk.log())] == []


def test_everybody_it_holds_is_in_the_log_before_a_value_is_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    chunk = exporting._chunk

    def watched(*words: Any) -> Iterator[Any]:
        seen.append(desk.entries("customer.export")[-1]["looks"])
        return chunk(*words)

    monkeypatch.setattr(exporting, "_chunk", watched)
    exported(desk, "out.csv", "--fields", FIELDS, *TO)
    assert seen == [3]


def test_fields_by_their_labels_in_either_language(desk: Desk) -> None:
    out = exported(desk, "out.csv", "--fields", "Company name，手机号、 E-mail", *TO, "--headers", "code")
    assert lines(out)[0] == ["company_name", "mobile", "email"]
    out = exported(desk, "sheet.csv", "--fields", "单位名称,姓名,手机号码,邮箱地址", *TO, "--headers", "code")
    assert lines(out)[0] == ["company_name", "name", "mobile", "email"], "as headers of sheets name them"


def test_what_the_purpose_does_not_need_is_masked(desk: Desk) -> None:
    out = exported(desk, "out.csv", "--fields", "company_name,name,mobile,uscc", "--recipient", "sales", "--purpose",
                   "analysis", "--headers", "code")  # fmt: skip
    assert lines(out)[1:] == [
        ["杭州示例科技有限公司", "王*", "'+86138******78", "91330106MA2CCCCC52"],
        ["杭州示例科技有限公司", "李*", "'+86139******79", "91330106MA2CCCCC52"],
        ["", "张*", "'+86137******70", ""],
        ["", "赵*", "'+86136******71", ""],
    ]
    assert desk.entries("customer.export")[0]["codes"] == ["MASKED"]
    assert orjson.loads(desk.rows(select(copy_register))[0]["fields"]) == ["company_name", "uscc"]


def test_what_the_role_may_not_export_is_masked_whatever_the_purpose(desk: Desk) -> None:
    words = ("--fields", "id_card,name", "--recipient", "finance", "--purpose", "contract", "--ticket", "HT-1")
    out = exported(desk, "out.csv", *words, "--type", "individual")
    assert lines(out)[1:] == [["1" + "*" * 16 + "5", "张三丰"], ["", "赵敏敏"]]


def test_clear_fields_that_the_role_may_not_export_are_hidden(desk: Desk) -> None:
    desk.edit("access.yaml", "export: [open, internal, personal]", "export: [personal]")
    out = exported(desk, "out.csv", "--fields", "company_name,tags,name", *TO, "--headers", "code")
    assert lines(out)[1] == ["***", "***", "王小明"]


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("--fields", FIELDS, "--recipient", "sales", "--purpose", "广告投放"), "PURPOSE_FORBIDDEN", 6),
        (("--fields", FIELDS, "--recipient", "contractor", "--purpose", "contact"), "RECIPIENT_OUTSIDE", 6),
        (("--fields", FIELDS, "--recipient", "authority", "--purpose", "contact"), "APPROVAL_MISSING", 6),
        (("--fields", FIELDS, "--recipient", "sales"), "USAGE", 2),
        (("--fields", FIELDS, "--purpose", "contact"), "USAGE", 2),
        ((*TO,), "USAGE", 2),
        (("--fields", "mobile,phones", *TO), "FIELD_UNKNOWN", 4),
        (("--fields", FIELDS, "--recipient", "mars", "--purpose", "contact"), "RECIPIENT_UNKNOWN", 4),
        (("--fields", FIELDS, *TO, "--tier", "gold"), "CODE_UNKNOWN", 4),
        (("--fields", FIELDS, *TO, "--use", "7"), "USE_UNKNOWN", 1),
    ],
)
def test_what_is_refused_leaves_no_file(desk: Desk, words: tuple[str, ...], code: str, status: int) -> None:
    assert refused(desk, *words, status=status) == code
    denied = [entry["codes"] for entry in desk.entries("customer.export")]
    assert denied == ([[code]] if status == 6 else [])
    assert desk.rows(select(copy_register)) == []


@pytest.mark.parametrize("uid", [AUDITOR, SUPERVISOR, ADMIN])
def test_who_may_look_may_not_therefore_export(desk: Desk, uid: int) -> None:
    assert refused(desk, "--fields", "company_name", *TO, uid=uid) in ("ACT_DENIED", "ACT_NOT_GRANTED")


def test_beyond_the_daily_limit_no_file(desk: Desk) -> None:
    desk.edit("access.yaml", "customer.export: 20/day", "customer.export: 1/day")
    exported(desk, "out.csv", "--fields", FIELDS, *TO)
    assert refused(desk, "--fields", FIELDS, *TO) == "LIMIT_REACHED"


# Above the policy's size ------------------------------------------------------------------------------------------


def asked(desk: Desk, *words: object, uid: int = STEWARD) -> dict[str, Any]:
    """Ask to use what `FIELDS` names."""
    given = ("--fields", FIELDS, *TO, "--manner", "phone", "--responsible", "1001", "--why", "年度回访")
    return desk.json(uid, "use", "request", *(words or given))


@pytest.fixture
def small(desk: Desk) -> Desk:
    """The same, where more than two customers are many."""
    desk.edit("access.yaml", "over_rows: 100", "over_rows: 2")
    return desk


def test_many_customers_only_with_an_approved_request(small: Desk) -> None:
    assert refused(small, "--fields", FIELDS, *TO) == "APPROVAL_MISSING"
    request = asked(small)
    assert (request["use"], request["customers"], request["fields_masked"]) == (1, 3, [])
    assert refused(small, "--use", 1) == "APPROVAL_MISSING"

    assert small.json(SUPERVISOR, "use", "approve", 1)["state"] == "approved"
    out = exported(small, "out.csv", "--use", 1)

    assert len(lines(out)) == 5
    assert (small.rows(select(use_request))[0]["state"], small.rows(select(copy_register))[0]["use_id"]) == ("used", 1)
    begun, done = small.entries("customer.export")[-2:]
    assert (begun["use"], begun["approval"], done["use"]) == (1, request["approval"], 1)
    assert refused(small, "--use", 1, status=8) == "USE_SPENT"


def test_few_customers_need_none(small: Desk) -> None:
    assert len(lines(exported(small, "out.csv", "--fields", FIELDS, *TO, "--type", "individual"))) == 3


def test_an_approval_is_for_exactly_these_customers_and_this(small: Desk) -> None:
    request = asked(small)
    small.json(SUPERVISOR, "approval", "approve", request["approval"])
    assert refused(small, "--use", 1, "--fields", "name", status=1) == "USE_OTHER"
    assert refused(small, "--use", 1, "--recipient", "finance", status=1) == "USE_OTHER"
    assert refused(small, "--use", 1, "--purpose", "service", status=1) == "USE_OTHER"
    assert refused(small, "--use", 1, "--type", "individual", status=8) == "USE_DRIFTED"
    assert refused(small, "--use", 1, uid=OTHER) == "USE_NOT_YOURS"
    done = imported(small.folder, "type,name,mobile\nindividual,孙悟空,13512345672\n")
    assert done.exit_code == 0
    assert refused(small, "--use", 1, status=8) == "USE_DRIFTED"


def test_a_request_keeps_its_filters(small: Desk) -> None:
    words = ("--fields", "company_name", *TO, "--manner", "电话", "--responsible", "li.na", "--why", "核对",
             "--company", "示例", "--type", "企业客户")  # fmt: skip
    asked(small, *words)
    out = exported(small, "out.csv", "--use", 1, "--headers", "code")
    assert lines(out) == [["company_name"], ["杭州示例科技有限公司"]]
    shown = small.json(STEWARD, "use", "show", 1)
    assert (shown["filters"], shown["why"]) == ({"type": "enterprise", "company": "示例"}, "核对")


def test_nobody_approves_their_own_request(small: Desk) -> None:
    request = asked(small)
    small.edit("access.yaml", "roles: [steward], confidentiality_signed: 2026-01-01, training_passed: 2026-01-01}\n"
               '    "wang.j"', "roles: [steward, supervisor], confidentiality_signed: 2026-01-01, "
               'training_passed: 2026-01-01}\n    "wang.j"')  # fmt: skip
    done = small.say(STEWARD, "approval", "approve", request["approval"])
    assert done.exit_code == 6
    assert small.say(STEWARD, "use", "approve", 1).exit_code == 6
    assert refused(small, "--use", 1) == "APPROVAL_MISSING"


def test_a_third_party_only_with_approval_however_few(desk: Desk) -> None:
    words = ("--fields", "name,mobile", "--recipient", "主管机关", "--purpose", "contact", "--manner", "file",
             "--responsible", "li.na", "--why", "调取通知", "--type", "individual")  # fmt: skip
    request = asked(desk, *words)
    assert refused(desk, "--use", 1) == "APPROVAL_MISSING"
    desk.json(SUPERVISOR, "approval", "approve", request["approval"])
    assert len(lines(exported(desk, "out.csv", "--use", 1))) == 3
    assert desk.rows(select(copy_register))[0]["recipient"] == "authority"


def test_a_third_party_gets_nothing_where_nobody_could_agree(desk: Desk) -> None:
    desk.edit("access.yaml", "    customer.export.outside:", "    customer.export.elsewhere:")
    assert refused(desk, "--fields", "name", "--recipient", "authority", "--purpose", "contact") == "RECIPIENT_OUTSIDE"


# Nobody -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over_rows", [100, 0])
def test_filters_that_find_nobody_make_no_file(desk: Desk, over_rows: int) -> None:
    desk.edit("access.yaml", "over_rows: 100", f"over_rows: {over_rows}")

    assert refused(desk, "--fields", FIELDS, *TO, "--tier", "core", status=1) == "NO_CUSTOMERS"

    (entry,) = desk.entries("customer.export")
    wanted = {"result": "done", "n": 0, "codes": ["NO_CUSTOMERS"], "purpose": "contact", "recipient": "sales"}
    assert wanted.items() <= entry.items() and entry["fields"] == FIELDS.split(",")
    assert desk.rows(select(copy_register)) == desk.rows(select(use_record)) == []


def test_nobody_is_asked_about_nobody(small: Desk) -> None:
    words = ("--fields", FIELDS, *TO, "--manner", "phone", "--responsible", "1001", "--why", "年度回访")
    document = small.json(STEWARD, "use", "request", *words, "--tier", "core", status=1)

    assert document["code"] == "NO_CUSTOMERS"
    assert [entry["n"] for entry in small.entries("use.request")] == [0]
    assert small.rows(select(use_request)) == []


def test_looking_for_nobody_counts_towards_the_limit(desk: Desk) -> None:
    desk.edit("access.yaml", "customer.export: 20/day", "customer.export: 1/day")
    words = ("--fields", FIELDS, *TO, "--tier", "core")

    assert [refused(desk, *words, status=1), refused(desk, *words)] == ["NO_CUSTOMERS", "LIMIT_REACHED"]
    assert refused(desk, "--fields", FIELDS, *TO) == "LIMIT_REACHED"
    assert [row["repeated"] for row in desk.rows(select(denial))] == [1], "each refusal is counted once"


# What keeps it from being whole -----------------------------------------------------------------------------------


def test_a_file_that_is_there_already_stays(desk: Desk) -> None:
    for name in ("there.csv", "link.csv"):
        out = desk.folder.parent / name
        target = desk.folder.parent / "target.csv"
        target.write_text("mine", "utf-8")
        if name == "link.csv":
            out.symlink_to(target)
        else:
            out.write_text("mine", "utf-8")
        done = desk.say(STEWARD, "customer", "export", "--fields", FIELDS, *TO, "--out", out)
        assert done.exit_code == 1
        assert (out.read_text("utf-8"), target.read_text("utf-8")) == ("mine", "mine")
    assert desk.entries("customer.export") == []


@pytest.mark.parametrize("form", ["csv", "xlsx", "ndjson", "json"])
def test_an_interrupted_export_leaves_no_file(desk: Desk, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_words: Any) -> Iterator[Any]:
        raise Interrupted(signal.SIGINT)
        yield

    monkeypatch.setattr(exporting, "_chunk", interrupted)
    before = sorted(desk.folder.parent.rglob("*"))
    out = desk.folder.parent / "out"
    done = desk.say(STEWARD, "customer", "export", "--fields", FIELDS, *TO, "--out", out, "-o", form)
    assert (done.exit_code, done.stdout) == (130, "")
    after = [path for path in sorted(desk.folder.parent.rglob("*")) if "data" not in path.parts]
    assert after == [path for path in before if "data" not in path.parts]
    assert [entry["result"] for entry in desk.entries("customer.export")] == ["begun"]
    assert desk.rows(select(copy_register)) == []


def test_no_file_when_the_log_cannot_be_written(desk: Desk) -> None:
    with desk.broken_log():
        done = desk.say(STEWARD, "customer", "export", "--fields", FIELDS, *TO, "--out", desk.folder.parent / "no.csv")
    assert done.exit_code in (11, 13, 70, 74)
    assert done.stdout == ""
    assert [path.name for path in desk.folder.parent.iterdir() if path.name.endswith((".csv", ".part"))] == []
    assert desk.rows(select(copy_register)) == []


def test_a_file_that_could_not_be_put_in_place_is_not_in_the_register(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_words: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_publish", full)
    done = desk.say(STEWARD, "customer", "export", "--fields", FIELDS, *TO, "--out", desk.folder.parent / "no.csv")
    assert done.exit_code == 74
    assert not (desk.folder.parent / "no.csv").exists()
    assert [row["disposed_by"] for row in desk.rows(select(copy_register))] == ["li.na"]


# Forms, and back again --------------------------------------------------------------------------------------------


def test_for_programs_codes_minor_units_and_offsets(desk: Desk) -> None:
    words = ("--fields", "customer,type,tags,annual_amount,first_added_at,mobile", *TO)
    line = exported(desk, "out.ndjson", *words, "-o", "ndjson").read_text("ascii").splitlines()[0]
    whole = json.loads(exported(desk, "out.json", *words, "-o", "json").read_text("ascii"))
    wanted = {
        "customer": 1, "type": "enterprise", "tags": ["key_account", "long_term"], "annual_amount": 12_000_050,
        "annual_amount_currency": "CNY", "first_added_at": "2026-03-05T14:30:00+08:00", "mobile": "+8613812345678",
    }  # fmt: skip
    assert json.loads(line) == wanted
    assert (whole["schema"], whole["customers"][0], len(whole["customers"])) == ("crmctl/customer-export/1", wanted, 4)


def test_a_workbook_holds_texts_that_nothing_runs(desk: Desk) -> None:
    out = exported(desk, "out.xlsx", "--fields", FIELDS, *TO, "-o", "xlsx")
    rows = CalamineWorkbook.from_path(str(out)).get_sheet_by_index(0).to_python()
    assert rows[1][3:] == ["+8613812345678", "wang.xm@example.com", "120000.50"]
    assert list((desk.folder / "spool").iterdir()) == []


BEGINNINGS = ("", "'", "''", "=", "+", "-", "@", "\t=", "＝", "＠", "'=")
FORMULAS = st.builds("{}{}".format, st.sampled_from(BEGINNINGS), st.text())


@given(FORMULAS)
def test_no_cell_is_run_and_every_cell_comes_back(text: str) -> None:
    cell = inert(text)
    assert not cell.lstrip("'").startswith(tuple("=+-@\t\r＝＋－＠")) or cell.startswith("'")
    assert unquoted(cell) == text


MIXED = CUSTOMERS + (
    'individual,,"=HYPERLINK(""x"")王五",13312345673,five@example.com,,,"@SUM(A1)\nzweite Zeile",,,,,K4,\n'
    "enterprise,北京样本有限公司,钱多多,,qian@example.com,,+建国路,'=quoted,,3.5万元,,,K5,2026-01-02 03:04:05\n"
    "enterprise,无人有限公司,,,,,,,,USD 12.34,,010-66660000,K6,\n"
)


def kept(folder: Path) -> list[tuple[Any, ...]]:
    """Return what a workspace holds of its customers, without numbers and times of its own."""
    own = {"customer_id", "batch_id", "created_at", "updated_at", "version", "derived_version"}
    found = []
    with runs.open_run(Invocation(command="customer list", workspace=folder), "customer list", "customer.list") as run:
        sealer = Sealer(run.workspace.instance)
        with engine.read(run.engine) as conn:
            numbers = conn.execute(select(tables.customer.c.customer_id)).scalars().all()
            rows, contacts = facts.customers(conn, numbers), facts.contacts(conn, numbers)
        for number, row in rows.items():
            key = run.keys.key("customer", number)
            clear = {name: value for name, value in clear_of(CUSTOMER_CLEAR, row).items() if name not in own}
            people = [
                (item[CONTACT_CLEAR.index("is_primary")], sealer.open_json(key, CONTACT_SEALED, item[-2], item[1]))
                for item in contacts.get(number, [])
            ]
            found.append((clear, sealer.open_json(key, CUSTOMER_SEALED, row[-2]), people))
    return sorted(found, key=repr)


def every_field(folder: Path) -> str:
    """Return all fields that are kept, by code."""
    settings: Any = policy.load(folder / "policies").settings("customers")
    return ",".join(item.code for item in settings.fields if not item.join and item.code != "customer_name")


@pytest.mark.parametrize(("form", "headers"), [("csv", "zh"), ("csv", "en"), ("xlsx", "zh")])
def test_exported_and_imported_again_they_are_the_same(tmp_path: Path, form: str, headers: str) -> None:
    first = alone(tmp_path / "first")
    source = tmp_path / "mixed.csv"
    source.write_text(MIXED, "utf-8")
    assert call(["-w", str(first), "customer", "import", str(source)]).exit_code == 0
    out = tmp_path / f"all.{form}"
    words = ("--recipient", "self", "--purpose", "contract", "--ticket", "HT-1", "--headers", headers, "-o", form)
    done = call(["-w", str(first), "customer", "export", "--fields", every_field(first), *words, "--out", str(out)])
    assert done.exit_code == 0, done
    assert "masked" not in done.stderr

    second = alone(tmp_path / "second")
    done = call(["-w", str(second), "customer", "import", str(out), "-o", "json"])

    assert done.exit_code == 0, done
    assert json.loads(done.stdout)["rejected"] == 0
    assert kept(second) == kept(first)
    assert len(kept(first)) == 6


def alone(folder: Path) -> Path:
    """Return a workspace of one person, who may export whatever there is."""
    workspaces.make(folder, demo=True)
    path = folder / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("export: [open, internal, personal]", "export: [open, internal, personal, sensitive]"))
    return folder
