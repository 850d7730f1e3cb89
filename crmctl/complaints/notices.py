"""Whom a level of escalation tells, and in which words. Numbers, codes and times; nothing of a customer's person.

Nobody whom a complaint is about gets a notice of it, nor who keeps out of it with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from crmctl.cases.escalating import concerns
from crmctl.cases.terms import LevelTerms
from crmctl.complaints import judging
from crmctl.complaints.openclocks import Open
from crmctl.i18n import N_
from crmctl.notify.queue import Notice, check
from crmctl.notify.texts import Wording

if TYPE_CHECKING:
    from crmctl.cases.policy import CaseSettings
    from crmctl.notify.policy import NotifySettings
    from crmctl.policy import PolicySet
    from crmctl.staff import Staff

POST = "post:"
TEXT = "complaint.escalation"


def labels(policies: PolicySet) -> Mapping[str, Mapping[str, str]]:
    """Return what people call the stages and the levels of the complaints policies."""
    found: dict[str, Mapping[str, str]] = {}
    for policy in policies.of_kind("complaints"):
        settings: CaseSettings = policy.settings  # type: ignore[assignment]
        for item in (*settings.escalation, *settings.stages):
            found.setdefault(item.code, {str(lang): text for lang, text in item.labels.items()})
    return found


TEXTS: Mapping[str, Wording] = {TEXT: Wording(N_("{what} {stage}: {event}, due {due}"), labels=labels)}


@dataclass(frozen=True)
class People:
    """The staff register on one day, and whose customers are whose (customer → staff id)."""

    everybody: Sequence[Staff]
    in_post: frozenset[int]
    owners: Mapping[int, int | None] = field(default_factory=dict)
    _out: dict[tuple[Any, ...], frozenset[int]] = field(default_factory=dict, repr=False)

    def keeping_out(self, about: tuple[int, ...], superiors: Mapping[str, Any] | None) -> frozenset[int]:
        """Return who keeps out of a complaint about these people, they included; worked out once."""
        if not about:
            return frozenset()
        key = (about, orjson.dumps(superiors))
        if key not in self._out:
            self._out[key] = judging.kept_out(self.everybody, about, superiors)
        return self._out[key]

    def holding(self, post: str) -> Iterator[Staff]:
        """Yield who holds a post."""
        return (person for person in self.everybody if person.post == post and person.staff_id in self.in_post)

    def number(self, staff_id: int) -> str:
        """Return the staff number of somebody in post."""
        return next(person.number for person in self.everybody if person.staff_id == staff_id)


class Meant(NamedTuple):
    """Whom a level means: staff ids, posts, and those who would be meant but keep out."""

    staff: tuple[int, ...]
    posts: tuple[str, ...]
    withheld: frozenset[int]


class Told(NamedTuple):
    """What a clock's new levels tell: notices, and who is told nothing."""

    notices: list[Notice]
    withheld: frozenset[int]


def meant(level: LevelTerms, later: Sequence[LevelTerms], found: Open, people: People) -> Meant:
    """Return whom a level means.

    A complaint that nobody in post handles is the first receiver's, else that of the first post that a later level
    tells. The superior is whoever of the recusal rule's posts is over the handler (else over the first receiver).
    """
    superiors = orjson.loads(found.terms.rest).get("superiors")
    out = people.keeping_out(found.about, superiors)
    handler, receiver = (_in_post(found.case[name], people) for name in ("handler_id", "first_receiver_id"))
    staff: list[int] = []
    posts: list[str] = []
    for word in level.to:
        if word.startswith(POST):
            posts.append(word.removeprefix(POST))
        elif word == "handler":
            heirs = _heirs((handler, receiver), out)
            staff += heirs
            posts += [] if heirs and heirs[-1] not in out else _next_post(later)
        elif word == "first_receiver" and receiver is not None:
            staff.append(receiver)
        elif word == "owner":
            owner = _in_post(people.owners.get(found.case["linked_customer_id"] or found.case["customer_id"]), people)
            staff += [] if owner is None else [owner]
        elif word == "superior" and superiors is not None:
            staff += _superiors(handler if handler is not None else receiver, superiors, people)
    holders = {person.staff_id for post in posts for person in people.holding(post)}
    names = tuple(dict.fromkeys(each for each in staff if each not in out))
    return Meant(names, tuple(dict.fromkeys(posts)), out.intersection([*staff, *holders]))


def _heirs(heirs: Sequence[int | None], out: frozenset[int]) -> list[int]:
    """Return the first who does not keep out, after those who do."""
    found = []
    for each in heirs:
        if each is not None:
            found.append(each)
            if each not in out:
                break
    return found


def _in_post(staff_id: int | None, people: People) -> int | None:
    return staff_id if staff_id in people.in_post else None


def _next_post(later: Sequence[LevelTerms]) -> list[str]:
    posts = ([word.removeprefix(POST) for word in level.to if word.startswith(POST)] for level in later)
    return next((each for each in posts if each), [])


def _superiors(of: int | None, superiors: Mapping[str, Any], people: People) -> list[int]:
    if of is None:
        return []
    return sorted((people.keeping_out((of,), superiors) - {of}) & people.in_post)


def channels_gone(found: Open, reached: int, settings: NotifySettings) -> Collection[str]:
    """Return the channels of a clock's new levels, up to the `reached`-th, that notify.yaml does not name any more."""
    codes = (code for _place, level in _new(found, reached) for code in level.channels)
    return dict.fromkeys(code for code in codes if settings.channel(code) is None)


def _new(found: Open, reached: int) -> Iterator[tuple[int, LevelTerms]]:
    """Yield the levels that a clock has newly reached, as far as they are for its stage, with their places."""
    for place in range(found.clock.level + 1, reached + 1):
        level = found.terms.levels[place - 1]
        if concerns(level, found.clock):
            yield place, level


def told(found: Open, reached: int, people: People, settings: NotifySettings) -> Told:
    """Return what the levels tell that a clock has newly reached, up to the `reached`-th.

    On a channel each recipient is told once, by the highest of the levels that mean them. None of the channels is gone.
    """
    levels = found.terms.levels
    notices: dict[tuple[str, str], Notice] = {}
    withheld: set[int] = set()
    for place, level in _new(found, reached):
        whom = meant(level, levels[place:], found, people)
        withheld |= whom.withheld
        for code in level.channels:
            channel = settings.channel(code)
            assert channel is not None  # `channels_gone` was asked
            for name in _recipients(whom, people, by_person=channel.by_person):
                notice = _notice(found, level, place, code, name)
                notices[code, notice.recipient] = notice
    return Told(list(notices.values()), frozenset(withheld))


def _recipients(whom: Meant, people: People, *, by_person: bool) -> Collection[str]:
    """Return staff numbers and posts; the empty one, whoever reads the channel, where nobody in post is meant.

    A post stands for all who hold it, except where each gets a mail of their own or one of them keeps out.
    """
    names = [people.number(each) for each in whom.staff]
    for post in whom.posts:
        holders = list(people.holding(post))
        if holders and (by_person or any(each.staff_id in whom.withheld for each in holders)):
            names += [each.number for each in holders if each.staff_id not in whom.withheld]
        else:
            names.append(post)
    return dict.fromkeys(names) if names or whom.withheld else ("",)


def _notice(found: Open, level: LevelTerms, place: int, channel: str, recipient: str) -> Notice:
    data: dict[str, int | str] = {"stage": found.clock.stage, "level": place}
    notice = Notice(
        channel, f"complaint:{found.number}", level.code, TEXT, found.clock.due_at, recipient, data
    )  # fmt: skip
    try:
        check(notice)
    except ValueError:  # a staff number or a code that a notice cannot hold: it is told without
        return replace(notice, event=f"level{place}", recipient="", data={"level": place})
    return notice
