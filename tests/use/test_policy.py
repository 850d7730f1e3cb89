"""The use policy: shipped, and what is wrong with others (USE-04, USE-05, ACC-06)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crmctl import policy
from crmctl.errors import InvalidInput, PermissionMissing
from crmctl.policy import PolicySet, check
from crmctl.use import purposes

SHIPPED = Path(__file__).parents[2] / "policies"
Edit = Callable[[str, str], list[str]]


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return policy.load(SHIPPED)


@pytest.fixture
def problems(tmp_path: Path) -> Edit:
    """A function that changes use.yaml once and returns what is wrong then."""

    def edited(old: str, new: str) -> list[str]:
        for path in SHIPPED.glob("[!_]*.yaml"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        text = (SHIPPED / "use.yaml").read_text("utf-8")
        assert text.count(old) == 1, text.count(old)
        (tmp_path / "use.yaml").write_text(text.replace(old, new), "utf-8")
        return [problem.as_line() for problem in check(tmp_path).problems]

    return edited


def test_what_the_written_policies_forbid_is_forbidden_with_its_clause(policies: PolicySet) -> None:
    forbidden = {item.code: item for item in purposes.settings_of(policies).purposes if not item.allowed}
    assert forbidden.keys() == {"competition", "unfair_competition", "advertising", "other"}
    assert all("003 §3.三 3.3" in item.source for item in forbidden.values())
    for code, item in forbidden.items():
        for word in item.names():
            with pytest.raises(PermissionMissing) as refused:
                purposes.purpose(policies, word)
            assert (refused.value.code, refused.value.details["purpose"]) == ("PURPOSE_FORBIDDEN", code)


def test_every_allowed_purpose_is_found_by_code_label_and_synonym(policies: PolicySet) -> None:
    for item in purposes.settings_of(policies).purposes:
        if item.allowed:
            assert {purposes.purpose(policies, word).code for word in item.names()} == {item.code}


def test_a_near_miss_is_told(policies: PolicySet) -> None:
    with pytest.raises(InvalidInput) as unknown:
        purposes.purpose(policies, "contakt")
    assert (unknown.value.code, "contact" in unknown.value.hint) == ("PURPOSE_UNKNOWN", True)
    assert "advertising" not in unknown.value.hint, "what is forbidden is not offered"


@pytest.mark.parametrize(
    ("purpose", "field", "sensitivity", "covered"),
    [
        ("contact", "mobile", "personal", True),
        ("contact", "id_card", "sensitive", False),
        ("contract", "id_card", "sensitive", True),
        ("analysis", "mobile", "personal", False),
        ("analysis", "company_name", "open", True),
    ],
)
def test_what_a_purpose_needs(policies: PolicySet, purpose: str, field: str, sensitivity: str, covered: bool) -> None:
    assert purposes.purpose(policies, purpose).covers(field, sensitivity) is covered


def test_third_parties_get_nothing_unless_the_policy_says_so(policies: PolicySet) -> None:
    for item in purposes.settings_of(policies).recipients:
        if item.outside and not item.with_approval:
            with pytest.raises(PermissionMissing) as refused:
                purposes.recipient(policies, item.code)
            assert refused.value.code == "RECIPIENT_OUTSIDE"
        else:
            assert purposes.recipient(policies, item.code) is item


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - code: service\n", "    - code: contact\n", "names both"),
        ("      labels: {zh: 不正当竞争", "      ticket: true\n      labels: {zh: 不正当竞争", "neither ticket"),
        ("{code: self, where: inside,", "{code: self, where: inside, with_approval: true,", "recipients outside"),
        ("      synonyms: [处理投诉]\n", "      synonyms: [处理投诉]\n      fields: [mobil]\n", "'mobile'"),
        ("copies_for: $copy_retention_days", "copies_for: 0", "above 0"),
        ("copies_for: $copy_retention_days", "copies_for: $copy_days", "no value"),
        ("paper_for: $paper_destruction_days", "paper_for: -1", "from 0 to 36500"),
        ("paper_for: $paper_destruction_days", "paper_for: 9999999", "from 0 to 36500"),
        ("{code: burnt, labels", "{code: shredded, labels", "shredded"),
        ("{code: self, where: inside,", "{code: self, where: here,", "where"),
        ("      use: allowed\n      labels: {zh: 跟进联系", "      use: maybe\n      labels: {zh: 跟进联系", "use"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(problems: Edit, old: str, new: str, said: str) -> None:
    found = problems(old, new)
    assert found
    assert any(said in line for line in found), found
