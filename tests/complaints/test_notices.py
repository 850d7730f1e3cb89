"""Whom a level tells: nobody whom a complaint is about, nor their superiors, whatever the level names (CMP-15)."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from crmctl.cases.terms import LevelTerms, Terms, dumps
from crmctl.complaints import decide
from crmctl.complaints.decide import Person
from crmctl.complaints.notices import People, channels_gone, told
from crmctl.complaints.openclocks import Open
from crmctl.notify.policy import NotifySettings
from crmctl.notify.queue import check
from crmctl.staff import Staff

CHANNELS = NotifySettings.model_validate(
    {
        "channels": [
            {"code": "group", "labels": {"zh": "群", "en": "Group"}, "by": "command", "command": ["/bin/true"]},
            {
                "code": "mail",
                "labels": {"zh": "邮件", "en": "Mail"},
                "by": "mail",
                "spool": "mail",
                "from": "crm@example.cn",
                "people_file": "people",
            },
        ]
    }
)
POSTS = ("manager", "complaint", "legal", None)
WHO = st.lists(
    st.sampled_from(["handler", "first_receiver", "owner", "superior", "post:manager", "post:complaint", "post:none"]),
    min_size=1,
    max_size=4,
    unique=True,
)


@st.composite
def companies(draw: st.DrawFn) -> tuple[People, Open]:
    """Return people and a complaint that some of them may be about, handle, or have received."""
    size = draw(st.integers(1, 9))
    people = tuple(
        Staff(
            number,
            draw(st.sampled_from([f"S{number}", f"员{number}"])),
            "N",
            draw(st.sampled_from(POSTS)),
            department=draw(st.sampled_from(["a", "b", None])),
            org_unit="head",
        )
        for number in range(1, size + 1)
    )
    ids = st.integers(1, size)
    about = draw(st.lists(ids, max_size=3, unique=True))
    superiors: Any = draw(st.sampled_from([None, {"posts": ["manager", "legal"], "within": "department"}]))
    levels = tuple(LevelTerms(f"l{place}", "at_end", "", tuple(draw(WHO)), ("group", "mail")) for place in range(3))
    terms = Terms((), levels=levels, rest=orjson.dumps({"superiors": superiors}).decode())
    row = {
        "clock_id": 1, "stage": "verify", "started_at": "2026-11-20T00:00:00Z", "within": "1 working day",
        "calendar": "working@1", "due_at": "2026-11-23T00:00:00Z", "provisional": 0, "told": 0, "pauses": "[]",
        "extended": 0, "level": draw(st.integers(0, 2)), "stopped_at": None,
    }  # fmt: skip
    case = {
        "number": "CMP-20261120-0001",
        "customer_id": 1,
        "linked_customer_id": None,
        "handler_id": draw(st.one_of(st.none(), ids)),
        "first_receiver_id": draw(st.one_of(st.none(), ids)),
        "about": " ".join(map(str, sorted(about))) or None,
        "terms": dumps(terms),
    }
    gone = draw(st.sets(ids, max_size=2))
    in_post = frozenset(range(1, size + 1)) - gone
    return People(people, in_post, {1: draw(st.one_of(st.none(), ids))}), Open(row, case)


@given(companies())
def test_nobody_who_keeps_out_is_told(world: tuple[People, Open]) -> None:
    people, found = world
    superiors = orjson.loads(found.terms.rest)["superiors"]
    persons = {
        each.staff_id: Person(each.staff_id, each.post, each.department, each.org_unit) for each in people.everybody
    }
    out = frozenset(found.about)
    if superiors and out:
        out |= decide.recused(
            [persons[each] for each in out], persons.values(), superiors["posts"], superiors["within"]
        )
    numbers = {each.number for each in people.everybody if each.staff_id in out}
    of_out = {each.post for each in people.everybody if each.staff_id in out & people.in_post}
    said = told(found, 3, people, CHANNELS)
    names = [(notice.channel, notice.recipient) for notice in said.notices]
    assert len(set(names)) == len(names), "each once on a channel"
    for notice in said.notices:
        check(notice)
        assert notice.recipient not in numbers
        assert notice.recipient not in of_out, "a post whose holder keeps out is told person by person"
        assert notice.channel in ("group", "mail")
    assert said.withheld <= out
    in_post = {each.number for each in people.everybody if each.staff_id in people.in_post}
    allowed = in_post | {"manager", "complaint", "none", ""}
    assert {name for _channel, name in names} <= allowed, "nobody who has left"


@given(companies())
def test_a_level_that_was_reached_tells_nothing_more(world: tuple[People, Open]) -> None:
    people, found = world
    assert told(found, found.clock.level, people, CHANNELS).notices == []


@given(companies())
def test_somebody_is_told_or_somebody_keeps_out(world: tuple[People, Open]) -> None:
    """A level with a channel is never lost: where nobody is meant, whoever reads the channel is told."""
    people, found = world
    said = told(found, 3, people, CHANNELS)
    assert {notice.channel for notice in said.notices} == {"group", "mail"} or said.withheld


@given(companies())
def test_a_channel_that_is_gone_is_noticed_where_a_new_level_names_it(world: tuple[People, Open]) -> None:
    _people, found = world
    assert list(channels_gone(found, 3, CHANNELS)) == []
    one = NotifySettings.model_validate({"channels": [CHANNELS.channels[0].model_dump(by_alias=True)]})
    assert list(channels_gone(found, 3, one)) == ["mail"]
    assert list(channels_gone(found, found.clock.level, one)) == []
