"""Policy kind `complaints`: what ships, and that every mistake is told at its place."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmctl.complaints import decide
from crmctl.complaints.decide import DEEDS, NEEDS
from crmctl.complaints.policy import ACTS, ComplaintsSettings
from crmctl.complaints.reasons import DEED_TEXTS, MISSING, STATUS_TEXTS
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.policy.validating import check_paths

AT = datetime(2026, 11, 23, 1, tzinfo=UTC)
# What is replaced where it stands first, what takes its place with the mistake between ‹ and ›, what is told there.
MISTAKES = {
    "event that begins a stage": ("begins: [received]", "begins: [‹arrived›]", "P307", "no such event"),
    "event that ends a stage": ("ends: [accepted]", "ends: [‹acepted›]", "P307", "did you mean 'accepted'?"),
    "event to wait from": ("waiting: {from: [proposed]", "waiting: {from: [‹offered›]", "P307", "no such event"),
    "event to wait until": ("until: [agreed, refused", "until: [agreed, ‹denied›", "P307", "no such event"),
    "stage to extend": ("{stage: rectify, to", "{stage: ‹rectification›, to", "P307", "no such stage"),
    "stage to escalate": ('channels: []', 'channels: [], stages: [‹plan›]', "P307", "no such stage"),
    "limit": ("{within: 1 working day,", '{within: ‹"1 fortnight"›,', "P208", "is no time limit"),
    "limit of an extension": ("at_most: 20 working days", "at_most: ‹twenty days›", "P208", "is no time limit"),
    "two limits in one": ("{within: 1 working day,", "‹{within: 1 working day, number: $complaint_plan_days›,", "P208",
                          "give within, or"),
    "severity of a limit": ("{within: 1 working day,", "{within: 1 working day, severity: [‹grave›],", "P307",
                            "no such severity"),
    "tier of a limit": ("{within: 1 working day,", "{within: 1 working day, tier: [‹gold›],", "P307", "gold"),
    "channel of a limit": ("{within: 1 working day,", "{within: 1 working day, channel: [‹fax›],", "P307", "fax"),
    "severity of a category": ("severity: serious, labels", "severity: ‹awful›, labels", "P307", "no such severity"),
    "two categories of one code": ("{code: installation,", "‹{code: quality›,", "P306", "quality"),
    "severity of a need": ("legal_reviewed, severity: [critical],", "legal_reviewed, severity: [critical, ‹grave›],",
                           "P307", "no such severity"),
    "what closing needs": ("- {what: settled,", "- {what: ‹happy›,", "P307", "nothing that closing can need"),
    "post of a superior": ("posts: [manager], within", "posts: [‹boss›], within", "P307", "boss"),
    "within what": ("within: department}", "within: ‹building›}", "P203", "building"),
    "field that is wanted": ("required: [complainant,", "required: [‹name›,", "P203", "name"),
    "act of a post": ("  reopen_within:", "  posts: {shut: ‹[manager]›}\n  reopen_within:", "P307", "no such act"),
    "number": ("prefix: CMP", "prefix: ‹cmp›", "P2", "prefix"),
    "a key": ("satisfaction_scale:", "‹satisfaction›:", "P103", "satisfaction"),
    "back_date": ("back_date: 3 days", "back_date: ‹a while›", "P208", "is no time limit"),
    "plans": ("{plans: 2,", "{plans: ‹0›,", "P2", "plans"),
    "size of files": ("max_megabytes: 10", "max_megabytes: ‹5000›", "P2", "max_megabytes"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the starter set."""
    for source in shipped("policies").glob("*.yaml"):
        if not source.name.startswith("_"):
            shutil.copy(source, tmp_path)
    return tmp_path


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_at_its_place(folder: Path, what: str) -> None:
    old, marked, code, words = MISTAKES[what]
    path = folder / "complaints.yaml"
    text = path.read_text("utf-8")
    if what == "stage to escalate":
        old = next(line for line in text.splitlines() if "code: warn" in line)
        marked = old.rstrip("}") + ", stages: [‹plan›]}"
    assert old in text
    at = text.index(old)
    whole = text[:at] + marked + text[at + len(old) :]
    mark = whole.index("‹")
    line, column = whole.count("\n", 0, mark) + 1, mark - whole.rfind("\n", 0, mark)
    path.write_text(whole.replace("‹", "").replace("›", ""), "utf-8")
    problems, _count = check_paths([folder], AT)
    mine = [each for each in problems if Path(each.path).name == "complaints.yaml" and each.code.startswith(code)]
    found = [(each.line, each.column, each.as_line()) for each in mine]
    assert any((each[0], each[1]) == (line, column) and words in each[2] for each in found), (line, column, problems)


@pytest.mark.parametrize("told", ["      told: true\n", ""])
def test_one_stage_is_the_one_that_is_told(folder: Path, told: str) -> None:
    """CMP-03."""
    path = folder / "complaints.yaml"
    text = path.read_text("utf-8")
    assert text.count("      told: true\n") == 1
    new = (
        text.replace("      told: true\n", "")
        if not told
        else text.replace("      begins: [received]\n", f"      begins: [received]\n{told}")
    )
    path.write_text(new, "utf-8")
    problems, _count = check_paths([folder], AT)
    assert ["exactly one stage" in each.message for each in problems] == [True]


def test_what_ships_is_whole() -> None:
    """Four policies, every rule with its clause; the regulator's is an example and off."""
    policies = load(shipped("policies"))
    found = {policy.name: policy for policy in policies.of_kind("complaints")}
    assert set(found) == {"complaints", "wecom", "handbook", "regulator"}
    assert {name for name, policy in found.items() if policy.mode == "off"} == {"regulator"}
    for policy in found.values():
        settings = policy.settings
        assert isinstance(settings, ComplaintsSettings)
        assert [need.what for need in settings.closing] == [
            "verified", "agreed", "rectified", "revisited", "settled", "reviewed", "legal_reviewed",
        ]  # fmt: skip
        assert sum(stage.told for stage in settings.stages) == 1
        assert all(stage.source or stage.limits for stage in settings.stages)


def test_every_code_has_its_words() -> None:
    """What may be told of a complaint can be told."""
    assert set(DEED_TEXTS) == {*DEEDS, "received"}
    assert set(MISSING) == set(NEEDS)
    assert set(STATUS_TEXTS) == set(decide.STATUSES)
    assert len(ACTS) == len(set(ACTS))
