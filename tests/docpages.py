"""The pages people read: their commands and links, and the tables in them that are made from the program.

A made table stands between `<!-- made: NAME -->` and `<!-- /made -->`; what the tour shows stands in `console` blocks
between `<!-- tour -->` and `<!-- /tour -->`. After a wanted change: UPDATE_DOCS=1 pytest tests/test_docs.py, then
read the diff.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from crmctl.cli.app import root
from crmctl.cli.table import COMMANDS
from crmctl.errors import EXIT_CODES

ROOT = Path(__file__).parents[1]
PAGES = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]))
_MADE = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- /made -->)", re.DOTALL)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(crmctl [^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_ENDS = re.compile(r"[|;&<>#]|\)$")


def name_of(page: Path) -> str:
    """Return a page's path as a test's name shows it."""
    return str(page.relative_to(ROOT))


# Made tables -----------------------------------------------------------------------------------------------------


def _table(headers: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    head = list(headers)
    lines = [head, ["---"] * len(head), *cells]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _exit_codes() -> str:
    return _table(("Exit", "Meaning"), EXIT_CODES.items())


def _commands() -> str:
    return _table(("Command", "What it does"), ((f"`crmctl {entry.path}`", entry.help) for entry in COMMANDS))


def _reasons() -> str:
    from crmctl.customers import reasons as of_customers
    from crmctl.sheets import reasons

    found = {**reasons.REASONS, **of_customers.REASONS}
    rows = ((f"`{code}`", what.format(field="*field*"), do) for code, (what, do) in found.items())
    return _table(("Code", "What is wrong", "What to do"), rows)


def _order_reasons() -> str:
    from crmctl.orders.reasons import REASONS

    rows = ((f"`{code}`", what.format(field="*field*"), do) for code, (what, do) in REASONS.items())
    return _table(("Code", "What is wrong", "What to do"), rows)


def _complaint_reasons() -> str:
    from crmctl.complaints.rowreasons import REASONS
    from crmctl.customers.meant import REASONS as MEANT

    rows = (
        (f"`{code}`", what.format(field="*field*"), do) for code, (what, do) in REASONS.items() if code not in MEANT
    )
    return _table(("Code", "What is wrong", "What to do"), rows)


def _policy_problems() -> str:
    from crmctl.policy.problems import CODES

    return _table(("Code", "Meaning"), ((f"`{code}`", meaning) for code, meaning in CODES.items()))


def _policy_kinds() -> str:
    from crmctl.policy.kinds import KINDS

    return _table(("Kind", "What it decides"), ((f"`{kind.name}`", kind.meaning) for kind in KINDS))


def _settings() -> str:
    from crmctl.workspace import SETTINGS

    rows = (
        (f"`{item.name}`", item.meaning, "" if item.default in ("", None) else f"`{item.default}`",
         f"`{item.variable}`" if item.variable else "")
        for item in SETTINGS
    )  # fmt: skip
    return _table(("Setting", "Meaning", "Default", "Variable"), rows)


def _identity() -> str:
    from crmctl import policy
    from crmctl.customers.policy import CustomersSettings

    settings = policy.load(ROOT / "policies").settings("customers")
    assert isinstance(settings, CustomersSettings)
    rows = (
        (f"`{field.code}`", field.label("en"), field.identity.organisation or "", field.identity.person or "")
        for field in settings.fields
        if field.identity is not None
    )
    return _table(("Field", "Label", "of an organisation", "of a person"), rows)


def _tables() -> str:
    from crmctl.store.schema import load_all

    rows = (
        (
            f"`{table.name}`",
            f"`{table.info['distribution']}`",
            ", ".join(f"`{column.name}`" for column in table.columns),
        )
        for table in load_all().sorted_tables
    )
    return _table(("Table", "Distributed by", "Columns"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "exit-codes": _exit_codes,
    "commands": _commands,
    "reasons": _reasons,
    "order-reasons": _order_reasons,
    "complaint-reasons": _complaint_reasons,
    "policy-problems": _policy_problems,
    "policy-kinds": _policy_kinds,
    "settings": _settings,
    "identity": _identity,
    "tables": _tables,
}


def made_names(text: str) -> list[str]:
    """Return the names of the made tables of a page."""
    return [match.group(2) for match in _MADE.finditer(text)]


def with_tables(text: str) -> str:
    """Return a page with its made tables as the program says now."""
    return _MADE.sub(lambda match: f"{match.group(1)}\n{TABLES[match.group(2)]()}\n{match.group(3)}", text)


# Commands --------------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A command line that a page shows."""

    page: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{name_of(self.page)}: {shlex.join(self.words)}"


def shown_commands() -> Iterator[Shown]:
    """Yield every `crmctl …` in a code block or between backticks on any page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            lines = match.group(2).replace("\\\n", " ").splitlines()
            if match.group(1) == "console":
                lines = [line for line in lines if line.startswith("$ ")]
            for line in lines:
                yield from (Shown(page, words) for words in _calls(line))
        for match in _INLINE.finditer(_FENCE.sub("", text)):
            yield from (Shown(page, words) for words in _calls(match.group(1)))


def _calls(line: str) -> Iterator[tuple[str, ...]]:
    for start in re.finditer(r"(?:^|[\s(/])crmctl\s", line):
        words: list[str] = []
        for word in line[start.end() :].split():
            if _ENDS.match(word):
                break
            closed = word.endswith((")", ";"))
            words.append(word.rstrip(");"))
            if closed:
                break
        yield tuple(words)


def resolve(words: Iterable[str]) -> tuple[str, str]:
    """Return the command that words name (its path), and what is wrong with them ("" for nothing)."""
    command: click.Command = root()
    context = click.Context(command, info_name="crmctl")
    known = _options(command, context)
    path: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith("-") and word != "-":
            option = known.get(word.partition("=")[0])
            if option is None:
                return " ".join(path), f"no option {word}"
            if not option.is_flag and "=" not in word and option.name != "help":
                next(rest, None)
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            meant = getattr(command, "default", "")
            if found is None and meant:
                word, found = meant, command.get_command(context, meant)
            if found is None:
                return " ".join(path), f"no command {word}"
            command, context = found, click.Context(found, parent=context, info_name=word)
            path.append(word)
            known = {**known, **_options(command, context)}
    return " ".join(path), ""


def _options(command: click.Command, context: click.Context) -> dict[str, click.Option]:
    found = [item for item in command.get_params(context) if isinstance(item, click.Option)]
    return {name: item for item in found for name in (*item.opts, *item.secondary_opts)}


# Links and text --------------------------------------------------------------------------------------------------


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, those in code left out."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings have on the usual forges."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in plain}


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page, with their numbers, that are neither in a code block nor of a table."""
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("|"):
            yield number, line
