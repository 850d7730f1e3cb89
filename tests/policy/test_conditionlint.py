"""Conditions in a policy file: their references and values are checked with the whole set, wherever they are nested."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from crmctl.errors import ValueUndecided
from crmctl.policy import check, load
from crmctl.policy.conditionlint import conditions
from crmctl.policy.conditions import Condition
from crmctl.policy.kinds import BY_NAME
from crmctl.policy.model import Many, Settings, Sources

AT = datetime(2026, 11, 21, tzinfo=UTC)
Edit = Callable[[str, str, str], None]
HEAD = "kind: sample\nschema: 1\nversion: 1\nowner: legal\nsettings:\n  rules:\n"


class SampleRule(Settings):
    when: Condition
    source: Sources = ()


class SampleSettings(Settings):
    rules: Many[SampleRule]


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more kind of policy, made of conditions."""
    monkeypatch.setitem(BY_NAME, "sample", SimpleNamespace(name="sample", model=lambda: SampleSettings))  # type: ignore[arg-type]


def write(folder: Path, *conditions: str) -> None:
    rules = "".join(f'    - when: {condition}\n      source: ["004 §5①"]\n' for condition in conditions)
    (folder / "sample.yaml").write_text(HEAD + rules, encoding="utf-8")


def told(folder: Path, *conditions: str) -> list[str]:
    write(folder, *conditions)
    return [
        f"{problem.line}:{problem.column}: {problem.code} {problem.message}"
        for problem in check(folder, AT).problems
        if Path(problem.path).name == "sample.yaml"  # what is decided here may be wrong for others, too
    ]


def decide(edit: Edit, name: str, value: str) -> None:
    edit("company.yaml", f"{name}:\n      value: unset", f"{name}:\n      value: {value}")


def test_a_sound_file_is_sound(folder: Path) -> None:
    assert told(folder, "{annual_amount: {gte: $core_annual_amount}}", "{tier: {in: [core, important]}}") == []


def test_a_list_of_names_has_names_as_codes(folder: Path) -> None:
    """Regions are called 浙江省 in customers.yaml, not cn-zj: a condition says the same."""
    assert told(folder, "{region: {in: [浙江省, 上海市]}}", "{region: {ne: 北京市}}") == []
    (line,) = told(folder, "{region: {eq: 浙江}}")
    assert "P307" in line and "'浙江'" in line


def test_references_are_found_wherever_they_are_nested(folder: Path) -> None:
    assert told(
        folder,
        "{annual_amount: {gte: $core_anual_amount}}",
        "{any: [{not: {annual_amount: {between: [1, $nothing]}}}, {tier: {in: [core, cor]}}], region: {eq: cn-sh}}",
    ) == [
        "7:35: P302 settings.rules[0].when.annual_amount.gte: no value $core_anual_amount in company.yaml",
        "9:56: P302 settings.rules[1].when.any[0].not.annual_amount.between[1]: no value $nothing in company.yaml",
        "9:89: P307 settings.rules[1].when.any[1].tier.in[1]: no tier 'cor'",
        "9:111: P307 settings.rules[1].when.region.eq: no regions 'cn-sh'",
    ]


@pytest.mark.parametrize(
    "wrong", ["{days_since_added: {lt: $core_annual_amount}}", "{completeness: {gte: $tag_confirm_days}}"]
)
def test_a_value_of_another_unit(folder: Path, wrong: str) -> None:
    (line,) = told(folder, wrong)
    assert "P301" in line
    assert " is in " in line


def test_values_that_do_not_fit_once_they_are_decided(folder: Path, edit: Edit) -> None:
    conditions = (
        "{annual_amount: {between: [$core_annual_amount, $important_annual_amount]}}",
        "{days_since_added: {lt: $tag_confirm_days}}",
        "{completeness: {gte: $tag_accuracy_target}}",
    )
    assert told(folder, *conditions) == []
    decide(edit, "core_annual_amount", "1000000")
    decide(edit, "important_annual_amount", "300000")
    decide(edit, "tag_confirm_days", "30.5")
    decide(edit, "tag_accuracy_target", "95")
    assert told(folder, *conditions) == [
        "7:39: P301 the least (1000000) is above the greatest (300000)",
        "9:37: P301 $tag_confirm_days is 30.5: finer than days_since_added is counted",
    ]


def test_a_value_too_large_to_compare(folder: Path, edit: Edit) -> None:
    decide(edit, "core_annual_amount", "99999999999999")
    (line,) = told(folder, "{annual_amount: {gte: $core_annual_amount}}")
    assert "out of range" in line


def test_undecided_values_are_refused_together_with_rules_and_clauses(folder: Path, edit: Edit) -> None:
    write(
        folder, "{annual_amount: {gte: $core_annual_amount}}", "{not: {annual_amount: {lt: $important_annual_amount}}}"
    )
    policies = load(folder, AT)
    settings = policies.settings("sample")
    assert isinstance(settings, SampleSettings)
    conditions = [rule.when for rule in settings.rules]
    with pytest.raises(ValueUndecided) as caught:
        policies.bound(conditions, 2)
    assert caught.value.exit_code == 4
    first, second = caught.value.details["values"]
    assert (first["value"], second["value"]) == ("core_annual_amount", "important_annual_amount")
    assert "sample.yaml:7 rules[0].when.annual_amount.gte" in first["rule"]
    assert "sample.yaml:9 rules[1].when.not.annual_amount.lt" in second["rule"]
    assert first["clauses"] == ["004 §5①"]
    assert all(part in caught.value.message for part in ("$core_annual_amount", "$important_annual_amount", "004 §5①"))
    decide(edit, "core_annual_amount", "100")
    with pytest.raises(ValueUndecided, match="important_annual_amount"):
        load(folder, AT).bound(conditions, 2)
    assert [each.tree for each in load(folder, AT).bound(conditions[:1], 2)][0].comparisons()


def test_values_in_ten_thousands_are_converted(folder: Path, edit: Edit) -> None:
    edit(
        "company.yaml",
        "core_annual_amount:\n      value: unset\n      unit: yuan",
        "core_annual_amount:\n      value: 0.55\n      unit: wan_yuan",
    )
    write(folder, "{annual_amount: {gte: $core_annual_amount}}")
    policies = load(folder, AT)
    settings = policies.settings("sample")
    assert isinstance(settings, SampleSettings)
    (found,) = policies.bound([settings.rules[0].when], 2)
    assert [compare.operands for compare in found.tree.comparisons()] == [(550_000,)]


class Branch(Settings):
    name: str = ""
    below: Many[Branch] = ()
    when: Condition | None = None


class Plain(Settings):
    names: Many[Sources] = ()
    inner: SampleRule | None = None


def test_conditions_are_found_at_any_depth_and_nowhere_else() -> None:
    inner = {"below": [{"when": {"tier": {"eq": "core"}}}]}
    tree = Branch.model_validate({"below": [inner], "when": {"tier": {"eq": "important"}}})
    assert [at for _condition, at in conditions(tree, ())] == [("below", 0, "below", 0, "when"), ("when",)]
    plain = Plain.model_validate({"names": [["004 §5①"]], "inner": {"when": {"tier": {"eq": "core"}}}})
    assert [at for _condition, at in conditions(plain, ("x",))] == [("x", "inner", "when")]
