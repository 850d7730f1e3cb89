"""The questions that the written policies leave to the company: every unset value, with all that bears on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crmctl.i18n import _, pick
from crmctl.policy.company import Unit
from crmctl.policy.kinds import BY_NAME
from crmctl.policy.model import Settings
from crmctl.policy.policyset import Mention, PolicySet, Undecided
from crmctl.policy.units import UNITS


@dataclass(frozen=True, slots=True)
class Said:
    """What a written document says, in short, in the reader's language."""

    clause: str
    text: str

    @property
    def line(self) -> str:
        """Clause and words in one line."""
        return f"{self.clause} {self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A rule that cannot be applied before the answer: where it is written, and what it is about."""

    place: str  # tiers.yaml:22 tiers[0].when.annual_amount.gte
    words: str

    @property
    def line(self) -> str:
        """What it is about, and file and line."""
        return f"{self.words} ({self.place.partition(' ')[0]})"


@dataclass(frozen=True, slots=True)
class Question:
    """One undecided value, in the reader's language."""

    name: str
    label: str
    unit: Unit | None
    rules: tuple[Waiting, ...]
    clauses: tuple[Said, ...]
    variants: tuple[Said, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form; the answer is for the reader to fill in."""
        return {
            "name": self.name,
            "label": self.label,
            "unit": self.unit,
            "rules": [{"rule": rule.place, "about": rule.words} for rule in self.rules],
            "clauses": [{"clause": said.clause, "text": said.text} for said in self.clauses],
            "variants": [{"clause": said.clause, "says": said.text} for said in self.variants],
            "answer": None,
        }


def questions(policies: PolicySet) -> tuple[Question, ...]:
    """Return a question for every undecided value, in the order of company.yaml."""
    texts = {name: pick(dict(clause.text.items())) for name, clause in policies.clauses.items()}
    return tuple(_question(undecided, texts) for undecided in policies.undecided())


def unit_words(unit: Unit | None) -> str:
    """Return what people call a unit; empty for a value without one."""
    return _(UNITS[unit].label) if unit else ""


def _question(undecided: Undecided, texts: Mapping[str, str]) -> Question:
    entry = undecided.entry
    return Question(
        name=undecided.name,
        label=pick(dict(entry.labels.items()) if entry.labels else None, undecided.name),
        unit=entry.unit,
        rules=tuple(Waiting(mention.rule, " · ".join(_about(mention))) for mention in undecided.mentions),
        clauses=tuple(Said(clause, texts.get(clause, "")) for clause in undecided.clauses),
        variants=tuple(Said(str(variant.source), pick(dict(variant.says.items()))) for variant in entry.variants),
    )


def _about(mention: Mention) -> Iterator[str]:
    """Yield what the rule is about: the policy, then the labels of what the place lies in, outermost first."""
    told = mention.policy.description
    yield (pick(dict(told.items())) if isinstance(told, dict) else told) or _(BY_NAME[mention.policy.kind].meaning)
    value: Any = mention.policy.settings
    for step in mention.at:
        value = _inside(value, step)
        labels = getattr(value, "labels", None)
        if labels:
            yield pick(dict(labels.items()))


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(value, Settings):
        names = {info.alias or name: name for name, info in type(value).model_fields.items()}
        return getattr(value, names.get(str(step), ""), None)
    if isinstance(value, Mapping):
        return next((item for key, item in value.items() if str(key) == step), None)
    if isinstance(value, tuple | list) and isinstance(step, int):
        return value[step]
    return None
