"""Time limits as policies and people write them: `7 working days`, `24 hours`, `1 个工作日` (requirements 0.5, T2).

A limit names its clock: minutes, hours and days go by the clock on the wall, every hour of every day; what begins with
"working" goes by the company's calendar. Numbers are whole and written out, in either width; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, WithJsonSchema

from crmctl.i18n import N_, _
from crmctl.policy.model import Wrong

Unit = Literal["minute", "hour", "day", "working_minute", "working_hour", "working_day"]
UNITS: tuple[Unit, ...] = get_args(Unit)
Ends = Literal["close", "elapsed"]

# What is written for a unit; spaces between its words do not matter. A bare 天 or day is a natural day.
WRITTEN: Mapping[Unit, tuple[str, ...]] = {
    "minute": ("minute", "minutes", "分钟"),
    "hour": ("hour", "hours", "小时", "个小时"),
    "day": ("day", "days", "calendar day", "calendar days", "天", "日", "自然日", "个自然日"),
    "working_minute": ("working minute", "working minutes", "工作分钟", "个工作分钟"),
    "working_hour": ("working hour", "working hours", "工作小时", "个工作小时"),
    "working_day": ("working day", "working days", "工作日", "个工作日"),
}
_WORDS: Mapping[Unit, tuple[str, str]] = {  # of one, of many
    "minute": (N_("{number} minute"), N_("{number} minutes")),
    "hour": (N_("{number} hour"), N_("{number} hours")),
    "day": (N_("{number} day"), N_("{number} days")),
    "working_minute": (N_("{number} working minute"), N_("{number} working minutes")),
    "working_hour": (N_("{number} working hour"), N_("{number} working hours")),
    "working_day": (N_("{number} working day"), N_("{number} working days")),
}
_UNIT_OF = {written.replace(" ", ""): unit for unit, many in WRITTEN.items() for written in many}
_NARROW = {ord(wide): str(digit) for digit, wide in enumerate("０１２３４５６７８９")}
_LIMIT = re.compile(r"([1-9][0-9]{0,4}) ?(\S.*)\Z", re.ASCII)
_SPELLINGS = "|".join(written for many in WRITTEN.values() for written in many)
WITHIN_PATTERN = f"^[1-9１-９][0-9０-９]{{0,4}} ?({_SPELLINGS})$"


@dataclass(frozen=True, slots=True)
class Limit:
    """So many units of a clock. `ends`: days end at their close, or at the time of day they began (elapsed)."""

    number: int
    unit: Unit
    ends: Ends = "close"

    @property
    def working(self) -> bool:
        """Whether it runs by the company's calendar rather than by the clock on the wall."""
        return self.unit.startswith("working_")

    @property
    def days(self) -> bool:
        """Whether it counts days, working or natural."""
        return self.unit in ("day", "working_day")

    @property
    def words(self) -> str:
        """The limit in the reader's language."""
        return _(_WORDS[self.unit][self.number > 1]).format(number=self.number)


@lru_cache(maxsize=1024)
def limit_of(text: str, ends: Ends = "close") -> Limit:
    """Return the limit that is written as `7 working days` or `48 小时`.

    Raises Wrong, a ValueError with a hint, for anything else.
    """
    plain = " ".join(text.translate(_NARROW).split())
    found = _LIMIT.match(plain)
    unit = _UNIT_OF.get(found[2].casefold().replace(" ", "")) if found else None
    if found is None or unit is None:
        raise Wrong(
            _("'{text}' is no time limit").format(text=text[:40]),
            _('as in "24 hours", "1 working hour", "7 working days", "15 days", "3 个工作日"'),
        )
    return Limit(int(found[1]), unit, ends)


def _within(text: str) -> str:
    limit_of(text)
    return text


Within = Annotated[str, AfterValidator(_within), WithJsonSchema({"type": "string", "pattern": WITHIN_PATTERN})]
"""A time limit in a policy file, kept as it is written; `limit_of` understands it."""
