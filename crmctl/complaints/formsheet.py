"""What stands on a complaint form: facts, texts, stages with who and when, plans with their answers, signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from crmctl import clock as times
from crmctl.cases.clockwork import Clock
from crmctl.complaints import telling
from crmctl.complaints.drafting import label_of
from crmctl.complaints.form import Opened
from crmctl.complaints.model import Row
from crmctl.complaints.policy import ComplaintsSettings
from crmctl.i18n import _, lang, pick
from crmctl.printed import Cutter, Part
from crmctl.runs.run import Run

# What one A4 page holds: widths of texts in half letters (a Chinese character or a capital has two), lines of tables.
# Measured with a full page; tests/complaints/test_form.py holds the form to it.
FACT, MATTER, DEMAND, RESULT, ANSWER, WORD, LINE = 46, 400, 200, 140, 64, 28, 80
STAGES, PLANS = 12, 3
DETAILS = ("verified", "rectified", "revisited", "reviewed", "analysed", "closed")


@dataclass(frozen=True)
class Sheet:
    """A form in the reader's language, ready to be written."""

    title: str
    language: str
    company: str
    facts: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    signatures: tuple[tuple[str, str], ...]
    line: str
    hash: str
    cut: str
    confidential: str


@dataclass(frozen=True)
class _Desk:
    """What every part of the form is written with."""

    run: Run
    found: Opened
    settings: ComplaintsSettings | None
    people: Mapping[int, str]
    cutter: Cutter

    def when(self, stamp: str | None) -> str:
        return telling.short(self.run, times.parse_stamp(stamp)) if stamp else ""

    def who(self, row: Row) -> str:
        """Return who entered an event: by the staff register, else as access.yaml names them."""
        return self.cutter.fit(self.people.get(row["staff_id"], row["person"]), WORD)

    def last(self, *kinds: str) -> Row | None:
        return next((row for row in reversed(self.found.case.events) if row["kind"] in kinds), None)

    def said(self, row: Row | None, *names: str) -> str:
        private = self.found.events.get(row["event_id"], {}) if row else {}
        return _("; ").join(str(private[name]) for name in names or ("text",) if private.get(name))


def sheet(run: Run, found: Opened) -> Sheet:
    """Return the form of a complaint whose texts were revealed."""
    row = found.case.row
    staff_ids = {row["first_receiver_id"], row["handler_id"], *(each["staff_id"] for each in found.case.events)}
    people = telling.people(run, staff_ids)
    desk = _Desk(run, found, telling.settings_or_none(run.policies, row["policy"]), people, Cutter())
    facts, texts = _facts(desk), _texts(desk)
    parts = (_stages(desk), _plans(desk), _deeds(desk))
    company: Any = run.policies.company.name
    handler = desk.cutter.fit(people.get(row["handler_id"], ""), WORD)
    return Sheet(
        title=_("Complaint form {number}").format(number=found.case.number),
        language="zh-CN" if lang().startswith("zh") else "en",
        company=desk.cutter.fit(pick(company, ""), LINE),
        facts=facts,
        texts=texts,
        parts=parts,
        signatures=(
            (_("Handler"), handler),
            (_("Responsible department"), desk.cutter.fit(row["department"], WORD)),
            (_("Reviewed by"), ""),
            (_("Approved by"), ""),
        ),
        line=_("Signature and day"),
        hash=found.hash,
        cut=_("What ends with … is cut; the whole text: crmctl complaint show --reveal.") if desk.cutter.cut else "",
        confidential=_(
            "Personal information: keep it locked away, and destroy it when the register of copies says so."
        ),
    )


def _facts(desk: _Desk) -> tuple[tuple[str, str], ...]:
    row, settings, texts = desk.found.case.row, desk.settings, desk.found.texts
    told: tuple[tuple[str, Any], ...] = (
        (_("Acceptance number"), row["number"]),
        (_("Status"), telling.status_text(row["status"])),
        (_("Customer"), f"C-{row['linked_customer_id'] or row['customer_id']:06d}"),
        (_("Channel"), label_of(desk.run.policies.company.channels, row["channel"])),
        (_("Complainant"), texts.get("complainant")),
        (_("Contact details"), texts.get("contact")),
        (_("Category"), label_of(telling.listed(settings, "categories"), row["category"])),
        (_("Severity"), label_of(telling.listed(settings, "severities"), row["severity"])),
        (_("Received at"), desk.when(row["received_at"])),
        (_("Accepted at"), desk.when(row["accepted_at"])),
        (_("Answer told by"), desk.when(row["feedback_due_at"])),
        (_("Closed at"), desk.when(row["closed_at"])),
        (_("First receiver"), desk.people.get(row["first_receiver_id"], "")),
        (_("Handler"), desk.people.get(row["handler_id"], _("nobody"))),
        (_("Responsible party"), row["department"]),
        (_("Cause"), label_of(telling.listed(settings, "causes"), row["cause"])),
    )
    return tuple((name, desk.cutter.fit(value, FACT)) for name, value in told)


def _texts(desk: _Desk) -> tuple[tuple[str, str], ...]:
    texts = desk.found.texts
    told = ((_("Matter"), "matter", MATTER), (_("Demand"), "demand", DEMAND), (_("Nature"), "nature", FACT))
    return tuple((name, desk.cutter.fit(texts[code], size)) for name, code, size in told if texts.get(code))


def _stages(desk: _Desk) -> Part:
    """Return each stage with its newest clock: who ended it and when, whether its limits were kept."""
    clocks: dict[str, list[Clock]] = {}
    for each in desk.found.case.clocks:
        clocks.setdefault(each.stage, []).append(each)
    rows = [_stage(desk, stage, found) for stage, found in clocks.items()]
    headings = (_("Stage"), _("By whom"), _("Began"), _("Limit"), _("Due"), _("Ended"), _("In time"))
    return Part(_("Stages"), headings, rows[:STAGES], _left_out(len(rows) - STAGES))


def _stage(desk: _Desk, stage: str, found: Sequence[Clock]) -> tuple[str, ...]:
    newest, fit = found[-1], desk.cutter.fit
    name = label_of(telling.listed(desk.settings, "stages"), stage) + (f" ×{len(found)}" if len(found) > 1 else "")
    limited = [each for each in found if each.within]
    late = sum(each.late(desk.run.at) for each in limited)
    if not limited:
        kept = ""
    elif late:
        kept = _("no") if len(limited) == 1 else _("{kept} of {all}").format(kept=len(limited) - late, all=len(limited))
    else:
        kept = _("yes") if not newest.running else _("running")
    ended = newest.stopped_at
    return (
        fit(name, WORD),
        _ended_by(desk, newest),
        telling.short(desk.run, newest.started_at),
        fit(telling.within_text(newest), WORD),
        telling.short(desk.run, newest.due_at) if newest.due_at else "",
        telling.short(desk.run, ended) if ended else "",
        kept,
    )


def _ended_by(desk: _Desk, found: Clock) -> str:
    """Return who entered the event that ended a stage; whoever handles the complaint while it runs."""
    if found.stopped_at is None:
        return desk.cutter.fit(desk.people.get(desk.found.case.row["handler_id"], ""), WORD)
    terms = desk.found.case.terms.stage(found.stage)
    ends, at = terms.ends if terms else (), times.stamp(found.stopped_at)
    return next((desk.who(row) for row in desk.found.case.events if row["kind"] in ends and row["at"] == at), "")


def _plans(desk: _Desk) -> Part:
    """Return the newest versions of the plan, each with the customer's answer."""
    rows: list[tuple[str, ...]] = []
    for row in desk.found.case.events:
        if row["kind"] == "proposed":
            data = orjson.loads(row["data"])
            text = desk.cutter.fit(desk.said(row, "measures", "compensation"), RESULT)
            rows.append((str(data["version"]), desk.when(row["at"]), text, desk.when(data["plan_due_at"]), ""))
        elif row["kind"] in ("agreed", "refused") and rows:
            answer = _("agreed") if row["kind"] == "agreed" else _("refused")
            said = desk.said(row)
            told = f"{desk.when(row['at'])} {answer}{': ' if said else ''}{said}"
            rows[-1] = (*rows[-1][:4], desk.cutter.fit(told, ANSWER))
    headings = (_("Plan"), _("Proposed"), _("Measures and compensation"), _("To be done by"), _("Customer's answer"))
    return Part(_("Handling plans"), headings, rows[-PLANS:], _left_out(len(rows) - PLANS))


def _deeds(desk: _Desk) -> Part:
    """Return what verification, rectification, revisit, review, analysis and closing came to, the newest of each."""
    names = {
        "verified": _("Verification"), "rectified": _("Rectification"), "revisited": _("Revisit"),
        "reviewed": _("Review"), "analysed": _("Analysis"), "closed": _("Closing"),
    }  # fmt: skip
    rows = []
    for kind in DETAILS:
        row = desk.last(kind)
        if row is not None:
            told = _joined((*_results(desk, row), desk.said(row, "text", "root_cause", "improvement")))
            rows.append((names[kind], desk.when(row["at"]), desk.who(row), desk.cutter.fit(told, RESULT)))
    return Part(_("Results"), (_("Part"), _("At"), _("By whom"), _("Result")), rows)


def _results(desk: _Desk, row: Row) -> Iterable[str]:
    data = orjson.loads(row["data"])
    if row["kind"] == "verified":
        yield data["department"]
        yield label_of(telling.listed(desk.settings, "causes"), data["cause"])
    elif row["kind"] == "revisited":
        yield _("settled") if data["settled"] else _("not settled")
        if data["score"] is not None:
            yield _("satisfaction {score} of {scale}").format(score=data["score"], scale=data["scale"])
    elif row["kind"] == "reviewed":
        yield _("passed") if data["result"] == "passed" else _("not passed")
    elif row["kind"] == "closed":
        yield _("without agreement") if data["closing"] == "without_agreement" else _("settled")


def _joined(texts: Iterable[str]) -> str:
    return _("; ").join(filter(None, texts))


def _left_out(number: int) -> str:
    return _("{number} more are left out").format(number=number) if number > 0 else ""
