"""The set in force: its hash and text, settings by kind, values decided and undecided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from crmctl.errors import IntegrityFailed, InvalidInput, PolicyInvalid, ValueUndecided
from crmctl.policy import from_text, load
from crmctl.policy.model import ValueRef
from crmctl.policy.policyset import PolicySet, hash_files
from crmctl.tiers.policy import TiersSettings

Edit = Callable[[str, str, str], None]


def core_threshold(policies: PolicySet) -> ValueRef:
    tiers = policies.settings("tiers")
    assert isinstance(tiers, TiersSettings)
    assert tiers.tiers[0].when is not None
    (threshold, _at), *_others = tiers.tiers[0].when.references()
    assert isinstance(threshold, ValueRef)
    return threshold


def test_the_hash_is_of_names_and_bytes(folder: Path) -> None:
    before = load(folder).hash
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        for part in (path.name.encode(), path.read_bytes()):
            digest.update(len(part).to_bytes(8, "big") + part)
    assert before == digest.hexdigest()
    with (folder / "tags.yaml").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    assert load(folder).hash != before


def test_the_text_gives_the_hash_again(folder: Path) -> None:
    policies = load(folder)
    files = {name: text.encode() for name, text in json.loads(policies.text()).items()}
    assert files == policies.files
    assert hash_files(files) == policies.hash


def test_a_recorded_text_is_the_set_again(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "core_annual_amount:\n      value: unset", "core_annual_amount:\n      value: 1000000")
    before = load(folder)
    edit("company.yaml", "value: 1000000", "value: 2000000")
    assert load(folder).values["core_annual_amount"].value == 2_000_000
    again = from_text(before.text(), before.hash)
    assert (again.files, again.hash, again.policies) == (before.files, before.hash, before.policies)
    assert again.values["core_annual_amount"].value == 1_000_000
    assert from_text(before.text()).hash == before.hash


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"company.yaml": "kind: company"}', "other"])
def test_a_recorded_text_that_was_changed_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(IntegrityFailed) as caught:
        from_text(text, load(folder).hash)
    assert caught.value.code == "POLICY_RECORD_BROKEN"


def test_a_recorded_text_this_program_does_not_understand(folder: Path, edit: Edit) -> None:
    text = load(folder).text().replace("timezone:", "time_zone:")
    with pytest.raises(PolicyInvalid) as caught:
        from_text(text)
    assert "P103" in {problem["code"] for problem in caught.value.details["problems"]}


def test_settings_by_kind(folder: Path) -> None:
    policies = load(folder)
    assert policies.settings("calendar") is policies.settings("calendar", "working")
    with pytest.raises(InvalidInput) as caught:
        policies.settings("calendar", "shop")
    assert caught.value.code == "POLICY_MISSING"


def test_the_policy_for_everybody_is_the_default(folder: Path) -> None:
    text = (folder / "calendar.yaml").read_text(encoding="utf-8")
    scoped = text.replace("name: working", "name: shop\nscope: {org_unit: [head]}")
    (folder / "calendar.shop.yaml").write_text(scoped, encoding="utf-8")
    assert load(folder).policy("calendar").name == "working"
    (folder / "calendar.yaml").unlink()
    assert load(folder).policy("calendar").name == "shop"


def test_an_undecided_value_names_value_rule_and_clause(folder: Path) -> None:
    policies = load(folder)
    with pytest.raises(ValueUndecided) as caught:
        policies.amount(core_threshold(policies))
    error = caught.value
    line = policies.policy("tiers").marks.at(("settings", "tiers", 0, "when", "annual_amount", "gte")).line
    assert error.exit_code == 4
    assert error.details == {
        "value": "core_annual_amount",
        "rule": f"tiers.yaml:{line} tiers[0].when.annual_amount.gte",
        "clauses": ["004 §5①"],
    }
    assert all(part in error.message for part in ("core_annual_amount", f"tiers.yaml:{line}", "004 §5①"))


def test_undecided_values_are_listed_with_the_rules_that_wait(folder: Path, edit: Edit) -> None:
    names = {undecided.name for undecided in load(folder).undecided()}
    assert {"core_annual_amount", "important_annual_amount", "tier_regrade_months", "tag_confirm_days"} <= names
    assert all(undecided.mentions and undecided.clauses for undecided in load(folder).undecided())
    edit("company.yaml", "core_annual_amount:\n      value: unset", "core_annual_amount:\n      value: 1000000")
    assert {undecided.name for undecided in load(folder).undecided()} == names - {"core_annual_amount"}


@pytest.mark.parametrize(
    ("written", "unit", "minor"),
    [("1000000", "yuan", 100_000_000), ("100", "wan_yuan", 100_000_000), ("0.5", "wan_yuan", 500_000)],
)
def test_money_is_minor_units(folder: Path, edit: Edit, written: str, unit: str, minor: int) -> None:
    edit(
        "company.yaml",
        "core_annual_amount:\n      value: unset\n      unit: yuan",
        f"core_annual_amount:\n      value: {written}\n      unit: {unit}",
    )
    policies = load(folder)
    assert policies.amount(core_threshold(policies)) == minor
    assert policies.amount(5) == 500


def test_a_value_may_be_written_short(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "  values:\n", "  values:\n    bonus_days: 12\n    bonus_rate: 1.10\n")
    policies = load(folder)
    assert policies.resolve(ValueRef("$bonus_days")) == 12
    assert policies.resolve(ValueRef("$bonus_rate")) == Decimal("1.10")
    assert policies.resolve(Decimal(3)) == 3


def test_every_reference_knows_its_place(folder: Path) -> None:
    policies = load(folder)
    for mention in policies.mentions:
        mark = mention.policy.marks.at(("settings", *mention.at))
        line = policies.files[mention.policy.path].decode().splitlines()[mark.line - 1]
        assert line[mark.column - 1 :].lstrip("\"'").startswith(str(mention.reference))
