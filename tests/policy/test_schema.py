"""`policy schema`: every field has a meaning, the JSON Schema agrees with the loader."""

from __future__ import annotations

import json
import re

import pytest

from crmctl.locate import shipped
from crmctl.policy import conditionschema, schema
from crmctl.policy.conditionfile import operators_of
from crmctl.policy.conditions import MARKER, Condition
from crmctl.policy.header import Header
from crmctl.policy.kinds import BY_NAME, KINDS
from crmctl.policy.loader import read_mapping
from crmctl.policy.metrics import METRICS, STATUSES
from crmctl.policy.model import Many, Settings
from crmctl.policy.windows import window

OWN = ("company", "sources", "tags", "tiers", "calendar")


@pytest.mark.parametrize("kind", OWN)
def test_every_field_has_a_meaning(kind: str) -> None:
    rows = [*schema.rows(BY_NAME[kind].model()), *schema.rows(Header)]
    assert [row.name for row in rows if not row.meaning] == []


def test_rows_say_type_requirement_and_default() -> None:
    rows = {row.name: row for row in schema.rows(BY_NAME["tiers"].model())}
    assert rows["tiers"].type == "list of mapping"
    assert rows["tiers[].rank"][1:4] == ("whole number", True, "")
    assert rows["tiers[].when"].type == "condition"
    assert rows["regrade_every"].type == "number or $name"
    assert rows["tiers[].standard.contact.every"].type == "week | month | quarter | year"
    assert rows["tiers[].labels"].type == "mapping of text"
    assert not rows["regrade_every"].required
    calendar = {row.name: row for row in schema.rows(BY_NAME["calendar"].model())}
    assert calendar["holidays"].default == "none"
    assert calendar["days_off[].date"].type == "date"
    company = {row.name: row for row in schema.rows(BY_NAME["company"].model())}
    assert company["precedence"].default == "channel, post, customer_type, org_unit"
    assert company["values.*.unit"].required is False
    assert company["default_org_unit"].type == "code of org_unit"


def test_a_part_is_found_without_the_signs() -> None:
    rows = list(schema.rows(BY_NAME["tiers"].model()))
    assert [row.name for row in schema.select(rows, "tiers.standard.contact")] == [
        "tiers[].standard.contact",
        "tiers[].standard.contact.times",
        "tiers[].standard.contact.every",
        "tiers[].standard.contact.ways",
        "tiers[].standard.contact.as_needed",
    ]
    assert schema.select(rows, "tiers.standrd") == []


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_json_schema_knows_every_key_of_the_starter_file(kind: str) -> None:
    found = schema.json_schema(BY_NAME[kind])
    json.dumps(found)
    assert found["properties"]["kind"]["const"] == kind
    assert found["additionalProperties"] is False
    assert "^x-" in found["patternProperties"]
    document = read_mapping(shipped("policies") / f"{kind}.yaml")
    assert set(document) <= set(found["properties"])
    reference = found["properties"]["settings"]
    settings = found["$defs"][reference["$ref"].rpartition("/")[2]]
    assert set(document["settings"]) <= set(settings["properties"])  # type: ignore[arg-type]
    assert settings["additionalProperties"] is False


def test_the_json_schema_of_a_condition_allows_what_the_loader_allows() -> None:
    found = conditionschema.definition()
    assert set(found["properties"]) == {"all", "any", "not", *(metric.name for metric in METRICS)}
    for metric in METRICS:
        inside = found["properties"][metric.name]
        assert set(inside["properties"]) - {"over"} == set(operators_of(metric))
        assert ("over" in inside.get("required", [])) is metric.windowed is ("over" in inside["properties"])
        assert inside["additionalProperties"] is False
    assert found["properties"]["annual_amount"]["properties"]["gte"]["anyOf"][0]["type"] == "number"
    assert found["properties"]["order_count"]["properties"]["in"]["items"]["anyOf"][0]["type"] == "integer"
    assert found["properties"]["status"]["properties"]["eq"] == {"enum": list(STATUSES)}
    pattern = found["properties"]["order_count"]["properties"]["over"]["pattern"]
    for text in ("12 months", "1 year", "0 days", "12 moons", "30 day"):
        assert bool(re.match(pattern, text)) is (window(text) is not None)


def test_a_condition_is_defined_once_and_referred_to() -> None:
    class Inside(Settings):
        when: Condition | None = None
        unless: Many[Condition] = ()

    found = Inside.model_json_schema()
    conditionschema.place(found)
    assert found["properties"]["unless"]["items"] == {"$ref": "#/$defs/Condition"}
    assert found["properties"]["when"]["anyOf"][0] == {"$ref": "#/$defs/Condition"}
    assert MARKER not in json.dumps(found)
    assert found["$defs"]["Condition"]["properties"]["not"]["$ref"] == "#/$defs/Condition"
    without: dict[str, object] = {"properties": {}}
    conditionschema.place(without)
    assert "$defs" not in without


def test_a_condition_explains_itself() -> None:
    class Inside(Settings):
        when: Condition | None = None
        many: Many[Condition] = ()

    rows = list(schema.rows(Inside))
    assert [(row.name, row.type) for row in rows] == [("when", "condition"), ("many", "list of condition")]
    told = {row.name: row.type for row in schema.select(rows, "when")}
    assert told["when.any"] == "list of condition"
    assert told["when.order_amount"].startswith("amount: over, eq, ne, gt")
    assert told["when.tier"] == "code of tier: eq, ne, in, not_in, exists"
    assert "many[].not" in {row.name for row in schema.select(rows, "many")}


def test_a_scope_names_only_what_the_kind_can_use() -> None:
    scopes = {
        name: set(schema.json_schema(BY_NAME[name])["$defs"]["Scope"]["properties"]) for name in ("tiers", "tags")
    }
    assert scopes == {
        "tiers": {"customer_type", "org_unit"},
        "tags": {"channel", "post", "customer_type", "org_unit"},
    }


def test_the_schema_of_cases() -> None:
    found = schema.cases_schema()
    assert found["properties"]["kind"]["const"] == "tests"
    assert "facts" in found["$defs"]["CaseItem"]["properties"]
    assert set(schema.json_texts()) == {*BY_NAME, "tests"}
