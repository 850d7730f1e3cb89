"""The starter set is clean, bilingual, cites its clauses, and its demo form differs in the company's decisions only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crmctl.locate import shipped
from crmctl.policy import check, load
from crmctl.policy.kinds import KINDS
from crmctl.policy.loader import read_mapping

FOLDER = shipped("policies")
AT = datetime(2026, 11, 21, tzinfo=UTC)


def test_the_starter_set_is_clean() -> None:
    checked = check(FOLDER, AT)
    assert [problem.as_line() for problem in checked.problems] == []
    assert checked.policies is not None
    assert {policy.kind for policy in checked.policies.policies} == {kind.name for kind in KINDS}


def test_every_file_explains_itself_first() -> None:
    for path in FOLDER.glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# "), path.name


def labels(value: Any) -> list[dict[str, str]]:
    if isinstance(value, dict):
        own = [value] if value and set(value) <= {"zh", "en"} else []
        return own + [found for item in value.values() for found in labels(item)]
    return [found for item in value for found in labels(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", [path.name for path in FOLDER.glob("*.yaml")])
def test_every_label_is_in_both_languages(name: str) -> None:
    found = labels(read_mapping(FOLDER / name))
    assert found
    assert [pair for pair in found if set(pair) != {"zh", "en"}] == []


def test_demo_decides_every_value_and_changes_nothing_else() -> None:
    starter, demo = read_mapping(FOLDER / "company.yaml"), read_mapping(FOLDER / "_demo_company.yaml")
    decided = {name: entry["value"] for name, entry in demo["settings"]["values"].items()}  # type: ignore[index,call-overload]
    assert "unset" not in decided.values()
    for company in (starter, demo):
        del company["settings"]["name"]  # type: ignore[index,call-overload]
        for entry in company["settings"]["values"].values():  # type: ignore[index,call-overload]
            del entry["value"]
    assert starter == demo


def test_the_demo_company_is_clean(tmp_path: Any) -> None:
    for path in FOLDER.glob("[!_]*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "company.yaml").write_bytes((FOLDER / "_demo_company.yaml").read_bytes())
    policies = load(tmp_path, AT)
    assert policies.undecided() == []


def test_no_clause_is_listed_for_nothing_but_the_written_policies() -> None:
    clauses = load(FOLDER).clauses
    assert {name.partition(" ")[0] for name in clauses} == {"000", "001", "002", "003", "004"}
    assert all(len(text) <= 160 for clause in clauses.values() for text in clause.text.values())
