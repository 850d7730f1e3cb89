"""The staff policy: what is shipped, what contradicts itself, figures that are undecided."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crmctl.locate import shipped
from crmctl.policy import check, load
from crmctl.policy.policyset import PolicySet
from crmctl.staff.columns import FIELDS
from crmctl.staff.decide import OwnerRules
from crmctl.staff.policy import default_capacity, outside_lists, owner_rules, settings_of

Edit = Callable[[str, str], list[str]]


def copied(folder: Path, company: str = "company.yaml") -> Path:
    """Copy the files that the staff policy refers to."""
    for name in ("company.yaml", "sources.yaml", "customers.yaml", "tiers.yaml", "tags.yaml", "staff.yaml"):
        source = company if name == "company.yaml" else name
        (folder / name).write_bytes((shipped("policies") / source).read_bytes())
    return folder


@pytest.fixture
def problems(tmp_path: Path) -> Edit:
    """Return the function from a replacement in staff.yaml to the problems that it makes."""

    def edited(old: str, new: str) -> list[str]:
        path = copied(tmp_path) / "staff.yaml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
        return [problem.message for problem in check(tmp_path).problems]

    return edited


def test_the_shipped_fields_are_those_of_the_register(policies: PolicySet) -> None:
    settings = settings_of(policies)
    assert set(FIELDS) <= set(settings.by_code)
    assert [field.code for field in settings.fields if field.required] == ["number", "name"]


def test_levels_are_those_of_the_written_policy_in_order(policies: PolicySet) -> None:
    rank = settings_of(policies).rank
    assert sorted(rank, key=rank.__getitem__) == ["junior", "mid", "senior", "supervisor"]


def test_undecided_figures_are_named_not_filled_in(policies: PolicySet) -> None:
    assert owner_rules(policies) == OwnerRules(undecided="training_valid_months")
    assert default_capacity(policies) is None


def test_decided_figures_count(tmp_path: Path) -> None:
    decided = load(copied(tmp_path, "_demo_company.yaml"))
    assert owner_rules(decided) == OwnerRules(valid_months=24)
    assert default_capacity(decided) == 200


def test_codes_of_other_policies(policies: PolicySet) -> None:
    lists = outside_lists(policies)
    assert "grading" in {item.code for item in lists["posts"]}
    assert "head" in {item.code for item in lists["org_units"]}
    assert "浙江省" in {item.code for item in lists["regions"]}


def test_conventions_of_files_are_those_of_the_customers_policy(policies: PolicySet) -> None:
    assert "暂无" in settings_of(policies).placeholders.everywhere


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("code: mid, rank: 2", "code: mid, rank: 3", "mid and senior have the same rank"),
        ("code: mid, rank", "code: junior, rank", "'junior' names both junior and junior"),
        ("    - code: name\n", "    - code: full_name\n", "field name is missing"),
        ("choices: levels", "choices: grades", "unknown code grades"),
        ("join: {into: name, position: 1}", "join: {into: nmae, position: 1}", "unknown code nmae"),
        ("- code: reports_to", "- code: extension", "field extension is defined twice"),
        ("$training_valid_months", "$training_months", "$training_months"),
    ],
)
def test_contradictions_are_told(problems: Edit, old: str, new: str, said: str) -> None:
    assert [message for message in problems(old, new) if said in message]


def test_a_column_of_the_register_keeps_its_form(problems: Edit) -> None:
    text = "      format: integer\n      range: {least: 0, most: 1000000}"
    assert "capacity has the format integer" in problems(text, "      format: date")


def test_what_would_have_to_be_sealed_is_no_field_of_the_register(problems: Edit) -> None:
    text = "headers: [分机, 内线, ext, ext., phone extension]\n      format: code"
    found = problems(text, text.replace("format: code", "format: mobile"))
    assert found == ["the staff register holds nothing of this format: it is not sealed"]
