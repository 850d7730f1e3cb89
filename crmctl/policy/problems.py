"""What is wrong with the policy files: one `Problem` per mistake, with the place to put the cursor.

P1xx  the file and its shape        P3xx  between fields and between files
P2xx  one value                     P4xx  warnings (errors with `policy validate --strict`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from typing import NamedTuple

from crmctl.i18n import N_, _

MOST_IN_ONE_FILE = 200  # a file with more mistakes than this is not a policy file
MOST_NAMES_IN_A_HINT = 16
MOST_SHOWN = 40

CODES: Mapping[str, str] = {
    "P100": N_("the file cannot be read"),
    "P101": N_("not YAML"),
    "P102": N_("the file is too big"),
    "P103": N_("unknown key"),
    "P104": N_("key repeated"),
    "P105": N_("key missing"),
    "P106": N_("anchor or alias"),
    "P107": N_("merge key"),
    "P108": N_("tag or directive"),
    "P109": N_("nested too deep"),
    "P110": N_("not UTF-8"),
    "P111": N_("more than one document"),
    "P112": N_("no value"),
    "P113": N_("tab in the indentation"),
    "P114": N_("invisible character"),
    "P115": N_("file name and header disagree"),
    "P116": N_("not a policy file"),
    "P117": N_("the key is not plain text"),
    "P118": N_("too many problems"),
    "P201": N_("value of another type"),
    "P202": N_("value that YAML programs read differently: quote it"),
    "P203": N_("not one of the allowed values"),
    "P204": N_("out of range"),
    "P205": N_("malformed value"),
    "P206": N_("no such date"),
    "P207": N_("too few or too many"),
    "P208": N_("value refused"),
    "P301": N_("settings contradict each other"),
    "P302": N_("value not in company.yaml"),
    "P303": N_("clause not in sources.yaml"),
    "P304": N_("two policies of equal scope overlap"),
    "P305": N_("policy defined twice"),
    "P306": N_("code, label or synonym used twice"),
    "P307": N_("unknown code"),
    "P308": N_("a policy that must exist is missing"),
    "P401": N_("exception has expired"),
    "P402": N_("exception expires soon"),
    "P403": N_("doubtful setting"),
}


class Mark(NamedTuple):
    """A place in a file, both counted from 1, columns in characters."""

    line: int
    column: int


START = Mark(1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: where, its code, what is wrong and what to do, in the reader's language."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""

    @property
    def warning(self) -> bool:
        """Whether the files can be used all the same."""
        return self.code.startswith("P4")

    @property
    def text(self) -> str:
        """What is wrong and where: `path:line:column: CODE message`."""
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message}"

    def as_line(self) -> str:
        """Return the line people and editors read: `path:line:column: CODE message; hint`."""
        return f"{self.text}; {self.hint}" if self.hint else self.text

    def as_dict(self) -> dict[str, str | int]:
        """Return the JSON form."""
        return asdict(self)

    def moved(self, path: str) -> Problem:
        """Return the same problem under another spelling of its path."""
        return replace(self, path=path)


@dataclass(slots=True)
class Report:
    """Gathers the problems of one file.

    `broken` remembers values that could not be read, so that no second problem is made of the same mistake.
    """

    path: str
    problems: list[Problem] = field(default_factory=list)
    broken: set[Mark] = field(default_factory=set)

    def add(self, mark: Mark, code: str, message: str, hint: str = "") -> None:
        """Note a problem; beyond the most one file may have, only that there are more."""
        if self.full:
            return
        if len(self.problems) == MOST_IN_ONE_FILE:
            code, message, hint = "P118", _("more problems follow"), _("correct these first")
        self.problems.append(Problem(self.path, mark.line, mark.column, code, message, hint))

    def spoil(self, mark: Mark, code: str, message: str, hint: str = "") -> None:
        """Note a problem of the value at `mark`, which nobody should look at again."""
        self.add(mark, code, message, hint)
        self.broken.add(mark)

    @property
    def full(self) -> bool:
        """Whether reading on would tell nobody anything."""
        return len(self.problems) > MOST_IN_ONE_FILE

    @property
    def errors(self) -> bool:
        """Whether anything but warnings was noted."""
        return any(not problem.warning for problem in self.problems)


def shown(text: str) -> str:
    """Return a text from the file short enough, and clean enough, for a message."""
    clean = "".join(sign if sign.isprintable() else "·" for sign in text[:MOST_SHOWN])
    return clean if len(text) <= MOST_SHOWN else clean[:-1] + "…"


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Return the hint for a word that is not among `allowed`: the nearest one, else a short list of them."""
    known = sorted(set(allowed))
    near = get_close_matches(word[:100], known, n=1, cutoff=0.6)
    if near:
        return _("did you mean '{name}'?").format(name=near[0])
    if 0 < len(known) <= MOST_NAMES_IN_A_HINT:
        return _("allowed: {names}").format(names=", ".join(known))
    return ""
