"""Days into a calendar's file: only lines for them are put in, everything else stays as somebody wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.editing import edited, scalar
from crmctl.policy.loader import read_fields
from crmctl.policy.nodes import Entry, Fields, Items
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.problems import Mark, Report
from crmctl.policy.rewriting import rechecked
from crmctl.worktime.calendars import compiled
from crmctl.worktime.ical import Told
from crmctl.worktime.policy import CalendarSettings

LISTS = {False: "days_off", True: "days_worked"}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Told days by what becomes of them: new ones, those that are so already, those the file says otherwise."""

    new: tuple[Told, ...]
    unchanged: tuple[Told, ...]
    contrary: tuple[Told, ...]


def sort(policies: PolicySet, policy: Policy, told: Sequence[Told]) -> Sorted:
    """Return what becomes of each day. A day that is certainly so already needs no line."""
    settings = cast("CalendarSettings", policy.settings)
    listed = {day.date: False for day in settings.days_off} | {day.date: True for day in settings.days_worked}
    calendar = compiled(policies, policy)
    new: list[Told] = []
    unchanged: list[Told] = []
    contrary: list[Told] = []
    for each in told:
        if each.day in listed:
            (unchanged if listed[each.day] == each.worked else contrary).append(each)
        elif calendar.announced(each.day.year) and calendar.day(each.day).worked == each.worked:
            unchanged.append(each)
        else:
            new.append(each)
    return Sorted(tuple(new), tuple(unchanged), tuple(contrary))


def with_days(policies: PolicySet, policy: Policy, days: Sequence[Told]) -> tuple[PolicySet, bytes]:
    """Return the policies with these days in a calendar, its version one higher, and its file's new bytes.

    Raises PolicyInvalid with every problem the whole set would then have, InvalidInput where the file's layout leaves
    no place for them.
    """
    data = policies.files[policy.path]
    for worked, name in LISTS.items():
        chosen = [day for day in days if day.worked == worked]
        if chosen:
            data = _inserted(data, policy.path, name, [_line(day) for day in chosen])
    root, _plain = _tree(data, policy.path)
    data = edited(data, root, {("version",): policy.version + 1})
    after = rechecked(policies, policy.path, data, _("with these days"))
    found = next(each for each in after.policies if each.path == policy.path)
    if _listed(found) != _listed(policy) | {(day.day, day.worked) for day in days}:
        raise _not_editable(policy.path, LISTS[days[0].worked])
    return after, data


def _listed(policy: Policy) -> set[tuple[date, bool]]:
    settings = cast("CalendarSettings", policy.settings)
    return {(day.date, False) for day in settings.days_off} | {(day.date, True) for day in settings.days_worked}


def _line(day: Told) -> str:
    """Return a day as an item of a list in the file."""
    language = "en" if day.title.isascii() else "zh"
    return f"{{date: {day.day.isoformat()}, labels: {{{language}: {scalar(day.title)}}}}}"


def _tree(data: bytes, path: str) -> tuple[Fields, object]:
    report = Report(path)
    found = read_fields(data, report)
    if found is None:
        raise _not_editable(path, "settings")
    return found


def _inserted(data: bytes, path: str, name: str, items: Sequence[str]) -> bytes:
    """Return the file with items added to a list of its settings, in the layout the list has."""
    text = data.decode("utf-8")
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    text = text[len(bom) :]
    root, _plain = _tree(data, path)
    settings = root.entries["settings"].value
    if not isinstance(settings, Fields) or settings.flow:
        raise _not_editable(path, "settings")
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    entry = settings.entries.get(name)
    if entry is None:
        first = min((each.mark for each in settings.entries.values()), key=lambda mark: mark.line)
        indent = " " * (first.column - 1)
        new = [f"{indent}{name}:{end}", *(f"{indent}  - {item}{end}" for item in items)]
        lines[first.line - 1 : first.line - 1] = new
    else:
        _into_list(lines, entry, items, end, path, name)
    return (bom + "".join(lines)).encode("utf-8")


def _into_list(lines: list[str], entry: Entry, items: Sequence[str], end: str, path: str, name: str) -> None:
    """Put items into the lines of a list: after `[`, or as lines of their own below the last item."""
    node = entry.value
    if not isinstance(node, Items):
        raise _not_editable(path, name)
    row, column = node.mark.line - 1, node.mark.column - 1
    if lines[row][column : column + 1] == "[":
        head, rest = lines[row][: column + 1], lines[row][column + 1 :]
        if node.values:
            lines[row] = f"{head}{', '.join(items)}, {rest}"
        elif rest.lstrip().startswith("]"):
            indent = " " * (entry.mark.column + 1)
            tail = rest.lstrip()[1:].strip()
            lines[row] = f"{head[:-1].rstrip()}{f'  {tail}' if tail else ''}{end}"
            lines[row + 1 : row + 1] = [f"{indent}- {item}{end}" for item in items]
        else:
            raise _not_editable(path, name)
        return
    place = _after(lines, node.values[-1].mark, column)
    if not lines[place - 1].endswith(("\n", "\r")):
        lines[place - 1] += end
    lines[place:place] = [f"{' ' * column}- {item}{end}" for item in items]


def _after(lines: list[str], last: Mark, column: int) -> int:
    """Return the place below a list's last item: the first line that is not indented further than its dash."""
    place = last.line
    while place < len(lines) and lines[place].strip() and len(lines[place]) - len(lines[place].lstrip()) > column:
        place += 1
    return place


def _not_editable(path: str, name: str) -> InvalidInput:
    return InvalidInput(
        _("{path}: {field} is written so that no days can be put in").format(path=path, field=name),
        hint=_("write it as a list with one day a line, or as {name}: []").format(name=name),
        code="VALUE_NOT_EDITABLE",
    )
