"""The shipped field policy says what requirements INF and design §5 ask, and contradictions in one are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from crmctl.customers.policy import CLEAR_COLUMNS, CustomersSettings
from crmctl.policy.model import Finding

MINIMAL: dict[str, Any] = {
    "types": [
        {"code": "firm", "party": "organisation", "labels": {"en": "Firm"}},
        {"code": "man", "party": "person", "labels": {"en": "Man"}},
    ],
    "default_type": {"organisation": "firm", "person": "man"},
    "purposes": [{"code": "identify", "labels": {"en": "who"}}],
    "fields": [
        {
            "code": code, "labels": {"en": code}, "sensitivity": "personal", "format": form, "purpose": "identify",
            **({"choices": "types"} if code == "type" else {}),
        }
        for code, form in (
            ("type", "choice"), ("name", "name"), ("company_name", "organisation_name"), ("customer_name", "name"),
        )
    ],
    "currencies": [{"code": "CNY", "labels": {"en": "yuan"}}],
    "currency": "CNY",
    "completeness": {"items": []},
}  # fmt: skip


class Look:
    """Other files that define the tiers and nothing else."""

    def known(self, what: str) -> list[str] | None:
        return ["core", "important"] if what == "tier" else None

    def figure(self, figure: object) -> None:
        return None


def findings(change: Callable[[dict[str, Any]], None]) -> list[Finding]:
    import copy

    data = copy.deepcopy(MINIMAL)
    change(data)
    return list(CustomersSettings.model_validate(data).lint(Look()))


def test_the_shipped_policy_has_no_contradictions(settings: CustomersSettings) -> None:
    assert list(settings.lint(Look())) == []


def test_every_field_has_a_purpose_and_labels_in_both_languages(settings: CustomersSettings) -> None:
    assert [item.code for item in settings.fields if {*item.labels} != {"zh", "en"} or not item.purpose] == []


def test_the_four_key_items_are_the_core_of_completeness(settings: CustomersSettings) -> None:
    always = [item.code for item in settings.completeness.items if not item.tiers]
    assert always == ["customer_name", "contact_person", "contact_details", "core_need"]


@pytest.mark.parametrize(
    ("field", "organisation", "person"),
    [
        ("external_code", "unique", "unique"),
        ("uscc", "unique", None),
        ("company_name", "unique", None),
        ("id_card", "supporting", "unique"),
        ("external_userid", "supporting", "unique"),
        ("mobile", "supporting", "unique"),
        ("email", "supporting", "supporting"),
        ("phone", "supporting", "supporting"),
        ("name", "none", "none"),
    ],
)
def test_identity_is_as_the_design_says(
    settings: CustomersSettings, field: str, organisation: str | None, person: str | None
) -> None:
    identity = settings.by_code[field].identity
    assert identity is not None
    assert (identity.organisation, identity.person) == (organisation, person)


def test_what_describes_people_is_sealed_and_registered_names_are_not(settings: CustomersSettings) -> None:
    assert [item.code for item in settings.fields if item.of == "person" and not item.sealed] == []
    assert not settings.by_code["company_name"].sealed
    clear = {item.code for item in settings.fields if item.code in CLEAR_COLUMNS and not item.sealed}
    assert clear == CLEAR_COLUMNS


def test_no_placeholder_is_a_name_of_a_type(settings: CustomersSettings) -> None:
    names = {name.casefold() for kind in settings.types for name in kind.names()}
    assert names & {text.casefold() for text in settings.placeholders.everywhere} == set()


def test_the_minimal_policy_is_fine() -> None:
    assert findings(lambda data: None) == []


@pytest.mark.parametrize(
    ("change", "code", "at"),
    [
        (lambda d: d["default_type"].update(person="firm"), "P307", ("default_type", "person")),
        (lambda d: d.update(currency="USD"), "P307", ("currency",)),
        (lambda d: d["fields"].pop(), "P105", ("fields",)),
        (lambda d: d["fields"].append({**d["fields"][1]}), "P306", ("fields", 4, "code")),
        (lambda d: d["fields"][1].update(purpose="sell"), "P307", ("fields", 1, "purpose")),
        (lambda d: d["fields"][1].update(choices="types"), "P301", ("fields", 1, "format")),
        (lambda d: d["fields"][1].update(overflow="nothing"), "P307", ("fields", 1, "overflow")),
        (lambda d: d["fields"][1].update(required={"import": ["men"]}), "P307", ("fields", 1, "required", "import")),
        (lambda d: d["fields"][1].update(required={"tiers": {"best": []}}), "P307", ("fields", 1, "required", "tiers")),
        (
            lambda d: d["fields"][1].update(of="person", sensitivity="open"),
            "P301",
            ("fields", 1, "sensitivity"),
        ),
        (lambda d: d["types"].append({**d["types"][0], "code": "house"}), "P306", ("types", 2)),
    ],
)
def test_contradictions_are_found_where_they_stand(
    change: Callable[[dict[str, Any]], None], code: str, at: tuple[str | int, ...]
) -> None:
    found = findings(change)
    assert (code, at) in [(finding.code, finding.at) for finding in found]


def test_unknown_keys_and_formats_are_errors() -> None:
    with pytest.raises(ValidationError):
        findings(lambda d: d["fields"][1].update(colour="red"))
    with pytest.raises(ValidationError):
        findings(lambda d: d["fields"][1].update(format="poem"))


def test_contact_persons_are_called_as_in_the_glossary_and_known_by_the_usual_word(settings: CustomersSettings) -> None:
    name = settings.by_code["name"]
    assert (name.label("zh"), name.label("zh", "person")) == ("对接人", "姓名")
    assert "联系人" in name.headers
    ours = {code: field.label("zh") for code, field in settings.by_code.items() if code != "external_userid"}
    assert [code for code, label in ours.items() if "联系人" in label] == []  # that one is WeCom's own word
    assert [item.code for item in settings.completeness.items if "联系人" in item.labels["zh"]] == []
