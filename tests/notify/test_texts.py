"""Lines of notices in both languages; other rooms' wordings, and those nobody has any more."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import pytest

from crmctl.i18n import N_
from crmctl.locate import shipped
from crmctl.notify import texts
from crmctl.notify.digest import made
from crmctl.notify.texts import Speaker, Wording
from crmctl.policy import load

STAGES = {"verify": {"zh": "核实", "en": "Verify"}}
WORDS = {
    "sample.warn": Wording(
        "{what} {stage} {left} {due} {recipient} {kind} {case} {missing} {at}",
        words={"late": N_("waiting")},
        labels=lambda _policies: STAGES,
    )
}
DUE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DATA = {"stage": "verify", "left_minutes": 135, "kind": "late", "case": "CMP-1", "at": "2025-12-31T16:00:00Z"}


def row(code: str, **more: object) -> dict[str, object]:
    return {"notification_id": 1, "subject": "complaint:CMP-20261121-0007", "event": "warn", "due_at": DUE,
            "recipient": "A1", "text_code": code, "data": "{}", **more}  # fmt: skip


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Speaker:
    monkeypatch.setattr(texts, "TEXTS", (*texts.TEXTS, f"{__name__}:WORDS"))
    monkeypatch.setattr(texts, "import_module", lambda name: _Here if name == __name__ else import_module(name))
    return Speaker(load(shipped("policies")), "zh", "Asia/Shanghai", DUE)


class _Here:
    WORDS = WORDS


def test_a_line_says_codes_in_words_and_times_in_the_companys_zone(speaker: Speaker) -> None:
    line = speaker.line(row("sample.warn"), DATA)
    assert line == "CMP-20261121-0007 核实 2 小时 15 分 11-21 17:00 A1 等待中 CMP-1 - 01-01 00:00"


def test_a_time_of_another_year_shows_its_year(speaker: Speaker) -> None:
    assert speaker.moment(datetime(2025, 12, 30, 16, tzinfo=UTC)) == "2025-12-31 00:00"
    assert speaker.moment(datetime(2025, 12, 31, 16, tzinfo=UTC)) == "01-01 00:00"


@pytest.mark.parametrize(("minutes", "said"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (135, "2 h 15 min")])
def test_what_is_left_is_said_in_hours_and_minutes(minutes: int, said: str) -> None:
    assert Speaker(load(shipped("policies")), "en", "Asia/Shanghai", DUE).lasting(minutes) == said


def test_a_code_that_no_room_has_becomes_a_line_all_the_same(speaker: Speaker) -> None:
    assert speaker.line(row("gone.away"), {}).startswith("CMP-20261121-0007 warn")
    assert "11-21" not in speaker.line(row("gone.away", due_at=None), {})


def test_the_nearest_limits_come_first_and_a_text_fits(speaker: Speaker) -> None:
    rows = [row("notify.about", notification_id=n, subject=f"complaint:CMP-{n}", due_at=None) for n in range(1, 40)]
    rows.append(row("notify.about", notification_id=40, subject="complaint:CMP-40"))
    digest = made(rows, speaker, 30)
    assert (len(digest.lines), digest.more, len(digest.numbers)) == (30, 10, 40)
    assert digest.lines[0].startswith("CMP-40 ")
    text = digest.text(300, "\n@anna")
    assert len(text.encode()) <= 300
    assert text.endswith("@anna")
    assert str(40 - text.count("CMP-")) in text.split("\n")[-2]


def test_every_wording_can_be_found() -> None:
    for target in texts.TEXTS:
        assert target.count(":") == 1
    assert texts.wording_of("notify.test") is not None
    assert texts.wording_of("no.such") is None
