"""Exceptions in the head of a policy: whom they match, until when, and what they cannot match by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from crmctl.policy import check, in_force, load
from crmctl.policy.conditions import All, Compare
from crmctl.policy.exemptions import Exempt
from crmctl.policy.metrics import BY_NAME, Left

Edit = Callable[[str, str, str], None]

TYPE, FLAG, SHARE = (Left(BY_NAME[name]) for name in ("customer_type", "flagged", "completeness"))


def excepted(edit: Edit, *matches: str, expires: str = "2026-12-31") -> None:
    lines = [f"  - {{match: {match}, reason: why, approved_by: legal, expires: {expires}}}\n" for match in matches]
    edit("tiers.yaml", "settings:\n", f"exceptions:\n{''.join(lines)}settings:\n")


def exempt(folder: Path, day: date) -> tuple[Exempt, ...]:
    (ruling,) = in_force(load(folder), "tiers", day)
    return ruling.exempt


def test_whom_an_exception_matches(folder: Path, edit: Edit) -> None:
    excepted(
        edit,
        "{customer: C-000123}",
        "{customer: [C-7, 8]}",
        "{customer_type: [enterprise, individual]}",
        "{customer: c000009, flagged: true, completeness: 50}",
    )
    last = date(2026, 12, 31)
    kinds = Compare(TYPE, "in", ("enterprise", "individual"))
    both = All((Compare(FLAG, "eq", (True,)), Compare(SHARE, "eq", (50,))))
    assert [(each.numbers, each.condition) for each in exempt(folder, last)] == [
        ((123,), None),
        ((7, 8), None),
        ((), kinds),
        ((9,), both),
    ]
    assert {(each.reason, each.approved_by, each.expires) for each in exempt(folder, last)} == {("why", "legal", last)}


def test_an_expired_exception_is_not_applied(folder: Path, edit: Edit) -> None:
    excepted(edit, "{customer: C-1}", expires="2026-06-30")
    assert len(exempt(folder, date(2026, 6, 30))) == 1
    assert exempt(folder, date(2026, 7, 1)) == ()


@pytest.mark.parametrize(
    ("match", "line"),
    [
        ("{custommer: C-1}", "P103 exceptions[0].match.custommer: not a field that exceptions can match by; "
         "did you mean 'customer'?"),
        ("{order_count: 3}", "P103 exceptions[0].match.order_count: not a field that exceptions can match by; "
         "did you mean 'org_unit'?"),
        ("{customer: 张三}", "P205 exceptions[0].match.customer: '张三' is no customer number; write it as C-000123"),
        ("{customer: [C-1, C-0]}", "P205 exceptions[0].match.customer[1]: 'C-0' is no customer number; "
         "write it as C-000123"),
        ("{customer_type: entreprise}", "P307 exceptions[0].match.customer_type: no customer_type 'entreprise'; "
         "did you mean 'enterprise'?"),
        ("{org_unit: [head, haed]}", "P307 exceptions[0].match.org_unit[1]: no org_unit 'haed'; did you mean 'head'?"),
        ("{completeness: 101}", "P204 exceptions[0].match.completeness: out of range; from 0 to 100"),
        ("{flagged: 1}", "P201 exceptions[0].match.flagged: true or false is wanted, not '1'"),
        ("{flagged: [true]}", "P203 exceptions[0].match.flagged: in does not compare flagged; "
         "allowed: eq, ne, exists"),
        ("{customer: true}", "P205 exceptions[0].match.customer: 'True' is no customer number; write it as C-000123"),
        ("{customer: []}", "P207 exceptions[0].match.customer: must not be empty"),
        ("{}", "P207 exceptions[0].match: must not be empty"),
    ],
)  # fmt: skip
def test_what_an_exception_cannot_match_by(folder: Path, edit: Edit, match: str, line: str) -> None:
    excepted(edit, match)
    (problem,) = check(folder).problems
    assert f"{problem.code} {problem.message}{'; ' if problem.hint else ''}{problem.hint}" == line


def test_every_mistake_is_told_at_its_place(folder: Path, edit: Edit) -> None:
    excepted(edit, "{teir: core, customer: x, completeness: full}")
    text = (folder / "tiers.yaml").read_text(encoding="utf-8").splitlines()
    at = [text[problem.line - 1][problem.column - 1 :].split(",")[0] for problem in check(folder).problems]
    assert at == ["teir: core", "x", "full}"]
