"""Every header the policy understands, with units of money and remarks in brackets taken apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crmctl.sheets.formats.money import Unit, spelling, unit_table
from crmctl.sheets.formats.texts import folded, plain
from crmctl.sheets.policy import SheetSettings

_REMARK = re.compile(r"^(.*?)\s*[\[({<【]\s*([^\[\](){}<>【】]*)\s*[\])}>】]\s*[*:]?\s*$")
_FORMAT_HINT = re.compile(r"格式|例|如|y{2,4}|\d|format|e\.?g|可为空|多个|分隔|元$", re.IGNORECASE)
_UNIT_SAID = re.compile(r"(?:货币|金额)?单位\s*[::]?\s*([^\s,;)】]+)")


class HeaderIndex:
    """Every header the policy understands, ready for look-up."""

    def __init__(self, settings: SheetSettings) -> None:
        self.settings = settings
        self.names: dict[str, list[str]] = {}
        self.beside: dict[str, list[tuple[str, str]]] = {}
        for item in settings.fields:
            for name in item.names():
                owners = self.names.setdefault(folded(name) or name, [])
                if item.code not in owners:
                    owners.append(item.code)
            for other, names in item.headers_beside.items():
                for name in names:
                    self.beside.setdefault(folded(name) or name, []).append((other, item.code))
        self.ignored = {folded(name) or name for name in settings.ignored_headers}
        self.remarks = {folded(name) for name in settings.header_remarks}
        self.units = unit_table(
            [(unit.names, unit.factor, unit.currency) for unit in settings.units],
            [(c.code, (*c.labels.values(), *c.synonyms)) for c in settings.currencies],
        )

    def split(self, header: str) -> tuple[str, Unit | None]:
        """Return the comparable form of a header without remarks, and the unit of money it names."""
        text = plain(header)
        key = folded(text) or text
        if key in self.names or key in self.ignored or key in self.beside:
            return key, None
        match = _REMARK.match(text)
        if match:
            base, remark = folded(match.group(1)), match.group(2)
            if base in self.names:
                unit = self._unit_named(remark)
                if unit or folded(remark) in self.remarks or not remark or _FORMAT_HINT.search(remark):
                    return base, unit
        return self._trailing_unit(key) or (key, None)

    def _unit_named(self, text: str) -> Unit | None:
        said = _UNIT_SAID.search(text)
        return self._sized(spelling(said.group(1) if said else text).partition("/")[0])  # 元/年

    def _sized(self, spelled: str) -> Unit | None:
        unit = self.units.get(spelled)
        return Unit(max(1, unit.factor), unit.currency) if unit else None

    def unit_in_brackets(self, header: str) -> Unit | None:
        """Return the unit in brackets behind a header that only `--mapping` knows."""
        match = _REMARK.match(plain(header))
        return self._unit_named(match.group(2)) if match else None

    def _trailing_unit(self, key: str) -> tuple[str, Unit | None] | None:
        """Return field and unit of 年合作额万元 and `annual amount usd`."""
        for size in range(min(6, len(key) - 1), 0, -1):
            unit = self._sized(key[-size:])
            if unit and any(self.settings.by_code[code].format == "money" for code in self.names.get(key[:-size], ())):
                return key[:-size], unit
        return None

    def knows(self, header: str) -> bool:
        """Return whether a cell could be a header of this policy."""
        key = self.split(header)[0]
        return key in self.names or key in self.ignored or key in self.beside

    def said_unit(self, cells: Sequence[str]) -> Unit | None:
        """Return the unit that a line above the header declares (单位：万元)."""
        for cell in cells:
            said = _UNIT_SAID.search(plain(cell))
            if said:
                return self._sized(spelling(said.group(1)))
        return None
