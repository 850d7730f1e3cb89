"""Cases: read strictly, decided by the policy in force for their facts, fail on surprises and on rules nobody tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest

from crmctl.cli.app import main
from crmctl.errors import InvalidInput
from crmctl.policy import PolicySet, load
from crmctl.policy.casefile import files
from crmctl.policy.conditions import Condition
from crmctl.policy.deciding import DECIMALS, Decision, decider_of, filled
from crmctl.policy.evaluate import holds
from crmctl.policy.kinds import BY_NAME, Kind
from crmctl.policy.metrics import BY_NAME as METRIC
from crmctl.policy.metrics import Left, Value
from crmctl.policy.model import Code, Many, ScopeName, Settings
from crmctl.policy.nodes import Path as Steps
from crmctl.policy.policyset import Policy
from crmctl.policy.testing import Results, read_cases, run, valued
from crmctl.policy.windows import window

Write = Callable[..., Path]


class Rule(Settings):
    code: Code
    when: Condition | None = None
    why: Many[Code] = ()


class Sample(Settings):
    scopes: ClassVar[tuple[ScopeName, ...]] = ("customer_type", "org_unit")
    choices: Many[Rule]

    def tested_rules(self) -> list[Steps]:
        return [("choices", position) for position in range(len(self.choices))]


def decide(policies: PolicySet, policy: Policy, facts: Mapping[Left, Value], day: date) -> Decision:
    """Choose the first rule that holds; on one day of the year nothing but that."""
    assert isinstance(policy.settings, Sample)
    if day == date(2026, 2, 28):
        return Decision("closed")
    for position, rule in enumerate(policy.settings.choices):
        condition = policies.bound([rule.when], DECIMALS)[0] if rule.when else None
        if condition is None or holds(condition, filled(facts, condition.lefts())):
            return Decision(rule.code, tuple(rule.why), (f"choices[{position}]",))
    raise AssertionError("the last choice has no condition")


COMPANY = """kind: company
schema: 1
version: 1
owner: manager
settings:
  name: {en: A}
  timezone: Asia/Shanghai
  currency: CNY
  org_units:
    - {code: head, labels: {en: Head}}
    - {code: north, labels: {en: North}, parent: head}
  default_org_unit: head
  values:
    big: {value: unset, unit: wan_yuan}
    often: 3
"""
SAMPLE = """kind: sample
schema: 1
version: 1
owner: manager
settings:
  choices:
    - {code: large, when: {annual_amount: {gte: $big}}, why: [amount]}
    - {code: busy, when: {order_count: {over: 12 months, gte: $often}}, why: [count, recent]}
    - {code: other}
"""
CASES = """kind: tests
schema: 1
policy: sample
as_of: 2026-06-30
values: {big: 10}
cases:
  - name: exactly on the threshold
    facts: {annual_amount: $big}
    expect: {decision: large, codes: [amount]}
  - name: a cent below
    facts: {annual_amount: 99999.99, order_count over 12 months: 3}
    expect: {decision: busy, codes: [recent, count]}
  - name: nothing known
    facts: {}
    expect: {decision: other}
"""


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_NAME, "sample", Kind("sample", f"{__name__}:Sample", "x", decider=f"{__name__}:decide"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "policies" / "tests").mkdir(parents=True)
    (tmp_path / "policies" / "company.yaml").write_text(COMPANY, encoding="utf-8")
    (tmp_path / "policies" / "sample.yaml").write_text(SAMPLE, encoding="utf-8")
    return tmp_path / "policies"


@pytest.fixture
def write(place: Path) -> Write:
    """Return a function that writes a file of cases: CASES with one text replaced."""

    def one(old: str = "", new: str = "", name: str = "sample.yaml") -> Path:
        path = place / "tests" / name
        assert CASES.count(old) == 1 or not old
        path.write_text(CASES.replace(old, new) if old else CASES, encoding="utf-8")
        return path

    return one


def tried(folder: Path, *, whole: bool = True) -> Results:
    policies = load(folder)
    cases, problems = read_cases(files(folder), policies)
    assert [problem.as_line() for problem in problems] == []
    return run(cases, policies, whole=whole)


def faults(found: Results) -> list[tuple[int, str]]:
    return [(outcome.case.line, fault) for outcome in found.outcomes for fault in outcome.faults]


def test_all_as_expected(place: Path, write: Write) -> None:
    write()
    found = tried(place)
    assert (found.ok, faults(found), found.untested) == (True, [], ())
    assert [outcome.decision for outcome in found.outcomes] == [
        Decision("large", ("amount",), ("choices[0]",)),
        Decision("busy", ("count", "recent"), ("choices[1]",)),
        Decision("other", (), ("choices[2]",)),
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("decision: large", "decision: busy", [(7, "expected busy, got large")]),
        ("codes: [amount]", "codes: []", [(7, "unexpected code amount")]),
        ("codes: [recent, count]", "codes: [recent, late]",
         [(10, "expected code late did not come"), (10, "unexpected code count")]),
        ("as_of: 2026-06-30", "as_of: 2026-02-28",
         [(7, "expected large, got closed"), (7, "expected code amount did not come"),
          (10, "expected busy, got closed"),
          (10, "expected code recent did not come"), (10, "expected code count did not come"),
          (13, "expected other, got closed")]),
        ("values: {big: 10}\n", "", [
            (6, "$big is not decided yet; needed by sample.yaml:7 choices[0].when.annual_amount.gte; clause: -"),
            (9, "$big is not decided yet; needed by sample.yaml:7 choices[0].when.annual_amount.gte; clause: -"),
            (12, "$big is not decided yet; needed by sample.yaml:7 choices[0].when.annual_amount.gte; clause: -")]),
        ("values: {big: 10}", "values: {big: -1}", [(7, "$big: out of range for wan_yuan"),
                                                    (10, "$big: out of range for wan_yuan"),
                                                    (13, "$big: out of range for wan_yuan")]),
        ("    facts: {}", "    values: {often: 0}\n    facts: {}", [(13, "expected other, got busy")]),
    ],
)  # fmt: skip
def test_surprises(place: Path, write: Write, old: str, new: str, expected: list[tuple[int, str]]) -> None:
    write(old, new)
    found = tried(place)
    assert not found.ok
    assert faults(found) == expected


def test_a_rule_that_no_case_reaches(place: Path, write: Write) -> None:
    write("annual_amount: 99999.99", "annual_amount: 100000")
    text = (place / "tests" / "sample.yaml").read_text(encoding="utf-8")
    text = text.replace("decision: busy, codes: [recent, count]", "decision: large")
    (place / "tests" / "sample.yaml").write_text(text, encoding="utf-8")
    found = tried(place)
    assert faults(found) == []
    assert [(each.rule, each.place) for each in found.untested] == [("choices[1]", "sample.yaml:8")]
    assert not found.ok
    assert tried(place, whole=False).ok


def test_the_policy_in_force_for_the_facts_decides(place: Path, write: Write) -> None:
    north = SAMPLE.replace("version: 1", "version: 1\nname: north\nscope: {org_unit: [north]}")
    north = north.replace("code: other", "code: elsewhere")
    (place / "sample.north.yaml").write_text(north, encoding="utf-8")
    write("    facts: {}", "    facts: {org_unit: north}")
    found = tried(place)
    assert faults(found) == [(13, "expected other, got elsewhere")]
    assert found.outcomes[2].policy is not None
    assert found.outcomes[2].policy.name == "north"
    assert {each.place for each in found.untested} == {"sample.north.yaml:9", "sample.north.yaml:10", "sample.yaml:9"}
    write("    facts: {}", "    policy: sample.sample\n    facts: {org_unit: north}")
    assert faults(tried(place)) == []


def test_no_policy_in_force(place: Path, write: Write) -> None:
    (place / "sample.yaml").write_text(SAMPLE.replace("version: 1", "version: 1\nmode: off"), encoding="utf-8")
    write()
    assert faults(tried(place))[0] == (7, "no policy sample is in force on 2026-06-30 for these facts")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("annual_amount: $big", "anual_amount: 5", "8:13: P103 cases[0].facts.anual_amount: no such fact; "
         "did you mean 'annual_amount'?"),
        ("order_count over 12 months: 3", "order_count: 3", "11:38: P103 cases[1].facts.order_count: "
         "a window is wanted; write order_count over 12 months"),
        ("order_count over 12 months: 3", "order_count over a year: 3", "11:38: P103 cases[1].facts.order_count over "
         "a year: not a window, or longer than a hundred years; write order_count over 12 months"),
        ("annual_amount: $big", "annual_amount over 1 year: 5", "8:13: P103 cases[0].facts.annual_amount over 1 year: "
         "annual_amount is not counted over a window; write annual_amount"),
        ("annual_amount: $big", "annual_amount: '5'", "8:28: P201 cases[0].facts.annual_amount: "
         "a number or $name is wanted; the names are in company.yaml"),
        ("annual_amount: $big", "annual_amount: $bigg", "8:28: P307 no value 'bigg'; did you mean 'big'?"),
        ("facts: {}", "facts: {org_unit: nord}", "14:23: P307 no org_unit 'nord'; did you mean 'north'?"),
        ("values: {big: 10}", "values: {bigg: 10}", "5:16: P302 no value bigg in company.yaml; did you mean 'big'?"),
        ("policy: sample", "policy: samples", "3:9: P307 'samples' decides nothing that cases could test; "
         "did you mean 'sample'?"),
        ("policy: sample", "policy: sample.nort", "3:9: P307 sample.nort: no such policy; "
         "allowed: sample.sample"),
        ("policy: sample\n", "", "6:5: P105 cases[0].policy: missing; write it here, or once for the whole file"),
        ("name: a cent below", "name: exactly on the threshold", "10:11: P306 repeats item 1; give each its own name"),
        ("expect: {decision: other}", "expect: {decision: other, cods: []}", "15:31: P103 cods: unknown key; "
         "did you mean 'codes'?"),
        ("name: nothing known", "name: no", "13:11: P202 no: could be read as true or false; write true or false; "
         'a text is quoted: "no"'),
        ("kind: tests", "kind: test", "1:7: P203 kind: 'test' is not allowed; did you mean 'tests'?"),
    ],
)  # fmt: skip
def test_files_of_cases_are_read_strictly(place: Path, write: Write, old: str, new: str, line: str) -> None:
    path = write(old, new)
    cases, problems = read_cases([path], load(place))
    assert cases == []
    assert problems[0].as_line().removeprefix(f"{path}:") == line


def test_cases_are_no_policies(place: Path, write: Write) -> None:
    write()
    assert {policy.kind for policy in load(place).policies} == {"company", "sample"}


def test_what_a_case_does_not_name() -> None:
    known = {name: Left(METRIC[name]) for name in ("customer_type", "tier", "flagged", "annual_amount")}
    orders = Left(METRIC["order_count"], window("12 months"))
    asked = [known["tier"], known["flagged"], known["annual_amount"], orders]
    assert list(filled({known["annual_amount"]: 5}, asked).values()) == [None, False, 5, 0]
    with pytest.raises(InvalidInput) as caught:
        filled({}, [known["customer_type"]])
    assert caught.value.code == "CASE_INCOMPLETE"


def test_other_values_are_in_the_set_and_nowhere_else(place: Path) -> None:
    policies = load(place)
    changed = valued(policies, {"big": Decimal("1.5")})
    assert changed.values["big"].value == Decimal("1.5")
    assert policies.values["big"].undecided
    assert valued(policies, {}) is policies


def test_kinds_without_a_decider() -> None:
    assert decider_of("company") is None
    assert decider_of("sample") is decide


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["--lang", "en", "policy", "test", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command(place: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write()
    assert command(capsys, str(place)) == (0, "", "cases: 3, failed: 0, untested rules: 0\n")
    assert command(capsys, str(path))[0] == 0
    write("decision: large", "decision: busy")
    code, out, err = command(capsys, str(path))
    assert (code, out) == (1, f"{path}:7: exactly on the threshold: expected busy, got large\n")
    assert err == "cases: 3, failed: 1, untested rules: 0\n"
    write("    facts: {}", "    facts: {annual_amount: 1000000}")
    code, out, _err = command(capsys, str(place), "-o", "json")
    document = json.loads(out)
    assert (code, document["cases"], document["failed"]) == (1, 3, 1)
    assert document["untested"] == [{"rule": "choices[2]", "place": str(place / "sample.yaml:9")}]
    assert document["results"][2] == {
        "file": str(path), "line": 13, "name": "nothing known", "policy": "sample.sample", "ok": False,
        "decision": "large", "codes": ["amount"], "faults": ["expected other, got large"],
    }  # fmt: skip


def test_the_command_refuses(place: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = command(capsys, str(place), "-o", "json")
    assert (code, json.loads(err)["code"]) == (1, "CASES_MISSING")
    assert command(capsys, str(place / "tests" / "nothing.yaml"))[0] == 4
    path = write("decision: large", "decision: 5")
    code, _out, err = command(capsys, str(place))
    assert code == 4
    assert f"{path}:9:24: P202" in err
