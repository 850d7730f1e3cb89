"""The policies in force together: settings by kind, the company's values, and the hash that names the whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from crmctl.errors import InvalidInput, ValueUndecided
from crmctl.i18n import _
from crmctl.policy.company import MINOR_UNITS, CompanySettings, ValueEntry
from crmctl.policy.conditions import Bound, Condition, bound, undecided
from crmctl.policy.header import Exemption, Limits, Scope
from crmctl.policy.model import Between, ClauseRef, Labels, Reference, Settings, ValueRef
from crmctl.policy.nodes import Marks, Path, dotted

if TYPE_CHECKING:
    from crmctl.policy.sources import Clause


@dataclass(frozen=True)
class Policy:
    """One policy file, understood."""

    kind: str
    name: str
    version: int
    owner: str
    description: str | Labels | None
    scope: Scope
    effective: Between
    mode: str
    limits: Limits
    exceptions: tuple[Exemption, ...]
    settings: Settings
    path: str  # the file's name in the folder
    hash: str
    marks: Marks = field(compare=False, repr=False)

    @cached_property
    def mentions(self) -> tuple[Mention, ...]:
        """Every reference in its settings."""
        found = _walk(self.settings, (), ())
        return tuple(Mention(reference, self, at, sources) for reference, at, sources in found)


@dataclass(frozen=True, slots=True)
class Mention:
    """A reference found in a policy: what it says, where, and the clauses of the rule around it."""

    reference: Reference
    policy: Policy
    at: Path
    sources: tuple[ClauseRef, ...]

    @property
    def rule(self) -> str:
        """Where the rule is written: `tiers.yaml:14 tiers[0].when.annual_amount.gte`."""
        line = self.policy.marks.at(("settings", *self.at)).line
        return f"{self.policy.path}:{line} {dotted(self.at)}"


@dataclass(frozen=True, slots=True)
class Undecided:
    """A value the company has not decided, and the rules that wait for it."""

    name: str
    entry: ValueEntry
    mentions: tuple[Mention, ...]

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses that leave it open; those of the rules that need it where company.yaml names none."""
        cited = self.entry.source or tuple(clause for mention in self.mentions for clause in mention.sources)
        return tuple(dict.fromkeys(map(str, cited)))


@dataclass(frozen=True)
class PolicySet:
    """Every policy of a folder, checked, with the bytes they were read from."""

    policies: tuple[Policy, ...]
    files: Mapping[str, bytes]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the sorted names and bytes of the files, each with its length in front."""
        return hash_files(self.files)

    def text(self) -> str:
        """Return the files as one JSON object {name: text}, for the record; `hash` can be recomputed from it."""
        texts = {name: data.decode("utf-8") for name, data in self.files.items()}
        return json.dumps(texts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def of_kind(self, kind: str) -> tuple[Policy, ...]:
        """Return the policies of a kind."""
        return tuple(policy for policy in self.policies if policy.kind == kind)

    def policy(self, kind: str, name: str | None = None, at: date | None = None) -> Policy:
        """Return the policy of that name; without a name the one for everybody (in force on `at`), or the only one.

        Raises InvalidInput when there is none.
        """
        found = [policy for policy in self.of_kind(kind) if name in (None, policy.name)]
        if at is not None:
            found = [policy for policy in found if policy.effective.holds(at)]
        everybody = [policy for policy in found if policy.scope.everybody]
        chosen = everybody or (found if len(found) == 1 or name else [])
        if not chosen:
            wanted = f"{kind}.{name}" if name else kind
            raise InvalidInput(
                _("no policy {name} in this workspace").format(name=wanted),
                hint=_("see: crmctl policy list"),
                code="POLICY_MISSING",
            )
        return max(chosen, key=lambda policy: policy.effective.from_ or date.min)

    def settings(self, kind: str, name: str | None = None, at: date | None = None) -> Settings:
        """Return the settings of `policy(kind, name, at)`."""
        return self.policy(kind, name, at).settings

    @property
    def company(self) -> CompanySettings:
        """The company's facts and numbers."""
        found = self.settings("company")
        assert isinstance(found, CompanySettings)
        return found

    @property
    def values(self) -> Mapping[str, ValueEntry]:
        """The company's own numbers by name."""
        return self.company.values

    @property
    def clauses(self) -> Mapping[str, Clause]:
        """The clauses of the written documents; empty when no policy lists them."""
        from crmctl.policy.sources import SourcesSettings

        found: dict[str, Clause] = {}
        for policy in self.of_kind("sources"):
            assert isinstance(policy.settings, SourcesSettings)
            found.update(policy.settings.clauses())
        return found

    @cached_property
    def mentions(self) -> tuple[Mention, ...]:
        """Every reference in every policy."""
        return tuple(mention for policy in self.policies for mention in policy.mentions)

    def undecided(self) -> list[Undecided]:
        """Return the values that are unset, each with the rules that wait for it."""
        return [Undecided(name, entry, self._users(name)) for name, entry in self.values.items() if entry.undecided]

    def _users(self, name: str) -> tuple[Mention, ...]:
        return tuple(
            mention
            for mention in self.mentions
            if isinstance(mention.reference, ValueRef) and mention.reference.name == name
        )

    def resolve(self, figure: int | Decimal | ValueRef, rule: str = "") -> int | Decimal | str:
        """Return the number, or what company.yaml gives for `$name`.

        Raises ValueUndecided, naming value, rule and clause, while it is unset.
        """
        if not isinstance(figure, ValueRef):
            return figure
        entry = self.values[figure.name]
        if not entry.undecided:
            return entry.value
        raise self.waiting((figure.name,), rule)

    def waiting(self, names: Sequence[str], rule: str = "") -> ValueUndecided:
        """Return the error that names undecided values, each with the rules that need it and the clauses behind."""
        details = []
        for name in names:
            told = Undecided(name, self.values[name], self._users(name))
            rules = rule or ", ".join(mention.rule for mention in told.mentions)
            details.append({"value": name, "rule": rules, "clauses": list(told.clauses)})
        message = _("; ").join(
            _("${name} is not decided yet; needed by {rule}; clause: {clause}").format(
                name=each["value"], rule=each["rule"] or "-", clause=", ".join(each["clauses"]) or "-"
            )
            for each in details
        )
        hint = _("decide {names} in company.yaml; see: crmctl policy questions").format(names=", ".join(names))
        return ValueUndecided(message, hint=hint, details=details[0] if len(details) == 1 else {"values": details})

    def figure(self, figure: int | Decimal | ValueRef) -> Decimal | None:
        """Return the number, looking up `$name` (money in yuan); None while it is undecided or no number."""
        return Known({}, self.values).figure(figure)

    def bound(self, conditions: Sequence[Condition], decimals: int) -> tuple[Bound, ...]:
        """Return conditions with their values filled in, money in minor units of so many decimals.

        Raises ValueUndecided naming every value of all of them that is unset, with rules and clauses.
        """
        names = [name for condition in conditions for name in undecided(condition, self.figure)]
        if names:
            raise self.waiting(tuple(dict.fromkeys(names)))
        return tuple(bound(condition, self.figure, decimals) for condition in conditions)

    def amount(self, figure: int | Decimal | ValueRef, rule: str = "") -> int:
        """Return a sum of money in minor units (分); a bare number is in yuan. Raises ValueUndecided while unset."""
        number = self.resolve(figure, rule)
        unit = self.values[figure.name].unit if isinstance(figure, ValueRef) else None
        return int(Decimal(number) * MINOR_UNITS[unit or "yuan"])


@dataclass(frozen=True)
class Known:
    """What a policy's `lint` may ask about the other policies."""

    codes: Mapping[str, Collection[str]]
    values: Mapping[str, ValueEntry]

    def known(self, what: str) -> Collection[str] | None:
        """Return the codes of `what` that the files define; None when none does."""
        return self.codes.get(what)

    def figure(self, figure: Decimal | int | ValueRef) -> Decimal | None:
        """Return the number, looking up `$name` (money in yuan); None while it is undecided or unknown."""
        if not isinstance(figure, ValueRef):
            return Decimal(figure)
        entry = self.values.get(figure.name)
        if entry is None or isinstance(entry.value, str):
            return None
        number = Decimal(entry.value)
        return number * 10_000 if entry.unit == "wan_yuan" else number


def hash_files(files: Mapping[str, bytes]) -> str:
    """Return the hash that names a set of policy files."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode("utf-8"), files[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _walk(
    value: object, at: Path, sources: tuple[ClauseRef, ...]
) -> Iterator[tuple[Reference, Path, tuple[ClauseRef, ...]]]:
    if isinstance(value, Reference):
        yield value, at, sources
    elif isinstance(value, Condition):
        for reference, inside in value.references():
            yield reference, (*at, *inside), sources
    elif isinstance(value, Settings):
        own = getattr(value, "source", ())
        around = own if isinstance(own, tuple) and own else sources
        for name, info in type(value).model_fields.items():
            yield from _walk(getattr(value, name), (*at, info.alias or name), around)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, Reference):
                yield key, (*at, str(key)), sources
            yield from _walk(item, (*at, str(key)), sources)
    elif isinstance(value, tuple | list):
        for position, item in enumerate(value):
            yield from _walk(item, (*at, position), sources)
