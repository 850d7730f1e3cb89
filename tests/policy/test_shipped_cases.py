"""The cases that ship with the starter policies: all as expected, every rule of what decides reached."""

from __future__ import annotations

from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.policy.casefile import files
from crmctl.policy.kinds import KINDS
from crmctl.policy.testing import read_cases, run


def test_every_shipped_case_comes_out_as_expected() -> None:
    policies = load(shipped("policies"))
    cases, problems = read_cases(files(shipped("policies")), policies)
    assert [problem.as_line() for problem in problems] == []
    found = run(cases, policies, whole=True)
    assert [(each.case.place, each.faults) for each in found.outcomes if each.faults] == []
    assert [each.place for each in found.untested] == []
    assert {case.kind for case in cases} == {kind.name for kind in KINDS if kind.decider}
