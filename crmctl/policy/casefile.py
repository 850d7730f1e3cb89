"""Files of cases, `policies/tests/*.yaml`: facts, and what must be decided about them. Read as strictly as policies.

A fact is written as conditions name it (`order_amount over 12 months: 1200000`), numbers in whole units or as `$name`.
What a case does not name is unknown; orders it does not name were not made. `policy`, `as_of` and `values` of the file
hold for every case that does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path as File
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from crmctl.i18n import N_, _
from crmctl.policy.binding import bind
from crmctl.policy.company import ValueName
from crmctl.policy.conditionfile import Faults, parsed
from crmctl.policy.conditions import Compare
from crmctl.policy.kinds import BY_NAME as BY_KIND
from crmctl.policy.loader import read_bytes, read_fields
from crmctl.policy.metrics import BY_NAME, METRICS, Left, left_named
from crmctl.policy.model import Day, Finding, Labels, Many, Settings, Text
from crmctl.policy.nodes import Marks, dotted
from crmctl.policy.policyset import Known, PolicySet
from crmctl.policy.problems import Report, shown, suggest

FOLDER = "tests"  # in the folder of policies
Fact = int | Decimal | bool | Text


def _checked(facts: dict[str, Fact]) -> dict[str, Fact]:
    faults = Faults()
    for name, value in facts.items():
        if left_named(name) is None:
            faults.wrong((name,), "P103", *_unknown(name), on_key=True)
            continue
        try:
            compared(name, value)
        except ValidationError as error:
            faults.take(error, (name,))
    if faults.found:
        raise ValidationError.from_exception_data("Facts", faults.found)
    return facts


def _unknown(name: str) -> tuple[str, str]:
    metric, _over, written = (part.strip() for part in name.partition(" over "))
    if metric not in BY_NAME:
        return _("no such fact"), suggest(metric, [each.name for each in METRICS])
    if not BY_NAME[metric].windowed:
        return _("{metric} is not counted over a window").format(metric=metric), _("write {name}").format(name=metric)
    wrong = _("not a window, or longer than a hundred years") if written else _("a window is wanted")
    return wrong, _("write {name}").format(name=f"{metric} over 12 months")


def compared(name: str, value: Fact) -> Compare:
    """Return a fact as the comparison it satisfies, which knows what the value must look like."""
    left = left_named(name)
    assert left is not None
    over = {"over": left.window.text} if left.window else {}
    found = parsed({left.metric.name: {**over, "eq": value}})
    assert isinstance(found, Compare)
    return found


class Expect(Settings):
    """What must be decided."""

    decision: Text = Field(description=N_("the code of the decision, such as that of a tier"))
    codes: Many[Text] | None = Field(None, description=N_("the codes of its reasons, all of them; any unless given"))


class CaseItem(Settings):
    """One case."""

    name: Text = Field(description=N_("what it shows, in words"))
    policy: Text | None = Field(None, description=N_("the kind that decides, or KIND.NAME of one policy"))
    as_of: Day | None = Field(None, description=N_("the day of the decision"))
    values: dict[ValueName, int | Decimal | Text] = Field({}, description=N_("values to use instead of company.yaml's"))
    facts: Annotated[dict[str, Fact], AfterValidator(_checked)] = Field(description=N_("what is known of the customer"))
    expect: Expect = Field(description=N_("what must be decided"))


class CaseFile(Settings):
    """A file of cases."""

    kind: Literal["tests"] = Field(description=N_("always tests"))
    file_schema: Literal[1] = Field(alias="schema", description=N_("version of the file format"))
    description: Text | Labels | None = Field(None, description=N_("what it is about, for people"))
    policy: Text | None = Field(None, description=N_("the kind that decides, or KIND.NAME of one policy"))
    as_of: Day | None = Field(None, description=N_("the day of the decision"))
    values: dict[ValueName, int | Decimal | Text] = Field({}, description=N_("values to use instead of company.yaml's"))
    cases: Annotated[Many[CaseItem], Field(min_length=1)] = Field(description=N_("the cases"))


@dataclass(frozen=True, slots=True)
class Case:
    """One case with the defaults of its file in it."""

    name: str
    path: str
    line: int
    kind: str
    policy: str | None  # the policy's name, where one is meant; else whichever is in force for the facts
    as_of: date
    values: Mapping[str, int | Decimal | str]
    facts: Mapping[Left, Compare]
    expect: Expect

    @property
    def place(self) -> str:
        """Where it is written."""
        return f"{self.path}:{self.line}"


def read(path: File, policies: PolicySet | None, known: Known | None, report: Report) -> list[Case]:
    """Return the cases of a file; none after noting everything that is wrong with it.

    Without policies, because they are broken themselves, what it refers to is not looked at.
    """
    data = read_bytes(path, report)
    found = read_fields(data, report) if data is not None else None
    file = bind(CaseFile, *found, report) if found is not None else None
    if found is None or file is None:
        return []
    marks = Marks(found[0])
    for finding in _findings(file, policies, known):
        report.add(marks.at(finding.at), finding.code, finding.message, finding.hint)
    if report.errors:
        return []
    return [_case(file, item, report.path, marks.at(("cases", at)).line) for at, item in enumerate(file.cases)]


def _case(file: CaseFile, item: CaseItem, path: str, line: int) -> Case:
    named, as_of = item.policy or file.policy, item.as_of or file.as_of
    assert named is not None and as_of is not None  # noqa: PT018 - `_findings` told where they are missing
    kind, _dot, name = named.partition(".")
    facts = {each.left: each for each in (compared(key, value) for key, value in item.facts.items())}
    return Case(item.name, path, line, kind, name or None, as_of, {**file.values, **item.values}, facts, item.expect)


def _findings(file: CaseFile, policies: PolicySet | None, known: Known | None) -> Iterator[Finding]:
    yield from _common(file, policies, ())
    names: dict[str, int] = {}
    for position, item in enumerate(file.cases):
        at = ("cases", position)
        yield from _common(item, policies, at)
        if names.setdefault(item.name, position) != position:
            message = _("repeats item {number}").format(number=names[item.name] + 1)
            yield Finding((*at, "name"), message, _("give each its own name"), "P306")
        for key, missing in (("policy", item.policy or file.policy), ("as_of", item.as_of or file.as_of)):
            if missing is None:
                message = _("{field}: missing").format(field=dotted((*at, key)))
                yield Finding(at, message, _("write it here, or once for the whole file"), "P105")
        for name, value in item.facts.items():
            yield from _codes(compared(name, value), (*at, "facts", name), known)


def _common(part: CaseFile | CaseItem, policies: PolicySet | None, at: tuple[str | int, ...]) -> Iterator[Finding]:
    for name in part.values if policies else ():
        if policies and name not in policies.values:
            message = _("no value {name} in company.yaml").format(name=shown(name))
            yield Finding((*at, "values", name), message, suggest(name, policies.values), "P302")
    if part.policy is None:
        return
    kind, dot, name = part.policy.partition(".")
    tested = [each.name for each in BY_KIND.values() if each.decider]
    if kind not in tested:
        message = _("'{name}' decides nothing that cases could test").format(name=shown(kind))
        yield Finding((*at, "policy"), message, suggest(kind, tested), "P307")
    elif policies and dot and name not in {policy.name for policy in policies.of_kind(kind)}:
        names = [f"{kind}.{policy.name}" for policy in policies.of_kind(kind)]
        message = _("{name}: no such policy").format(name=shown(part.policy))
        yield Finding((*at, "policy"), message, suggest(part.policy, names), "P307")


def _codes(fact: Compare, at: tuple[str | int, ...], known: Known | None) -> Iterator[Finding]:
    if known is None:
        return
    for reference, _inside in fact.references():
        allowed: Any = known.values if reference.what == "value" else known.known(reference.what)
        if allowed is not None and reference.name not in allowed:
            message = _("no {what} '{code}'").format(what=reference.what, code=shown(reference.name))
            yield Finding(at, message, suggest(reference.name, allowed), "P307")


def files(folder: File) -> Sequence[File]:
    """Return the files of cases in a folder of policies, in order."""
    return sorted(path for path in (folder / FOLDER).glob("*.yaml") if not path.name.startswith((".", "_")))
