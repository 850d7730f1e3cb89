"""The terms a case keeps: looked up once, kept as JSON, the same when they are read again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.cases.terms import ExtensionTerms, LevelTerms, StageTerms, Terms, dumps, loads, terms_for
from crmctl.locate import shipped
from crmctl.policy import PolicySet, load

CODES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
MANY = st.lists(CODES, max_size=3).map(tuple)
TEXT = st.text(max_size=12)
STAGES = st.builds(
    StageTerms, CODES, MANY, MANY, TEXT, st.sampled_from(["close", "elapsed"]), TEXT, st.booleans(), st.booleans(),
    st.booleans(), TEXT, st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip
TERMS = st.builds(
    Terms,
    st.lists(STAGES, max_size=4).map(tuple),
    MANY,
    MANY,
    st.lists(st.builds(ExtensionTerms, CODES, TEXT, TEXT, CODES, MANY), max_size=3).map(tuple),
    st.lists(st.builds(LevelTerms, CODES, CODES, TEXT, MANY, MANY, MANY), max_size=3).map(tuple),
    st.dictionaries(CODES, st.integers(-(2**53), 2**53) | TEXT, max_size=3).map(
        lambda rest: orjson.dumps(rest).decode()
    ),
)
GENERAL = {"channel": "phone", "customer_type": "enterprise", "tier": None, "severity": "general"}


@given(TERMS)
def test_read_again_they_are_the_same(found: Terms) -> None:
    text = dumps(found)
    assert loads(text) == found
    assert dumps(loads(text)) == text


def decided(tmp_path: Path) -> PolicySet:
    """Return the starter set with the company's numbers decided."""
    for source in shipped("policies").glob("*.yaml"):
        if not source.name.startswith("_"):
            shutil.copy(source, tmp_path)
    shutil.copy(shipped("policies") / "_demo_company.yaml", tmp_path / "company.yaml")
    return load(tmp_path)


def limits(policies: PolicySet, name: str, **facts: str | None) -> Mapping[str, str]:
    """Return the limits of a case under a policy, by stage; empty ones left out."""
    policy = policies.policy("complaints", name, date(2026, 11, 23))
    found = terms_for(policies, policy, {**GENERAL, **facts}, {})
    return {stage.code: stage.within for stage in found.stages if stage.within}


def test_what_the_documents_say(tmp_path: Path) -> None:
    """CMP-04, CMP-05, CMP-07, CMP-11: 004 by default, 003 for who it names, 001 through WeCom."""
    policies = decided(tmp_path)
    default = limits(policies, "complaints")
    assert default["respond"] == "30 working minutes"
    assert default["verify"] == "1 working day"
    assert default["propose"] == "3 working days"
    assert default["feedback"] == "7 working days"
    assert default["rectify"] == "promised"
    assert default["revisit"] == "24 hours"
    handbook = limits(policies, "handbook")
    assert (handbook["respond"], handbook["propose"]) == ("24 hours", "48 hours")
    assert limits(policies, "wecom")["respond"] == "1 working hour"
    assert limits(policies, "regulator")["feedback"] == "15 days"


def test_what_is_not_decided_has_no_limit_and_says_which_number_it_waits_for() -> None:
    policies = load(shipped("policies"))
    policy = policies.policy("complaints", "complaints", date(2026, 11, 23))
    stages = {stage.code: stage for stage in terms_for(policies, policy, GENERAL, {}).stages}
    assert (stages["feedback"].within, stages["feedback"].undecided) == ("", "complaint_feedback_days")
    assert (stages["verify"].within, stages["verify"].undecided) == ("1 working day", "")


@pytest.mark.parametrize(
    ("facts", "within"),
    [
        ({"severity": "critical"}, "2 hours"),
        ({"severity": "critical", "tier": "core"}, "2 hours"),  # the first that fits counts
        ({"tier": "core"}, "4 hours"),
        ({"tier": "core", "channel": "wecom"}, "4 hours"),
        ({"customer_type": "individual", "severity": "serious"}, "6 hours"),
        ({"customer_type": "individual"}, "1 working day"),
        ({"tier": "ordinary"}, "1 working day"),
    ],
)
def test_the_first_limit_that_fits_counts(tmp_path: Path, facts: Mapping[str, str], within: str) -> None:
    """T2: limits by severity, tier, channel and customer type."""
    decided(tmp_path)
    path = tmp_path / "complaints.yaml"
    old = '        - {within: 1 working day, source: ["004 §11(二)"]}\n'
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    more = (
        "        - {within: 2 hours, severity: [critical]}\n"
        "        - {within: 4 hours, tier: [core, important]}\n"
        "        - {within: 6 hours, customer_type: [individual], severity: [serious, critical]}\n"
    )
    path.write_text(text.replace(old, more + old), "utf-8")
    assert limits(load(tmp_path), "complaints", **facts)["verify"] == within
