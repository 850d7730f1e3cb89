"""Rows in which nothing is unusual, read by a function written for the columns of their file and their type.

Nine rows in ten have nothing wrong and spell things the usual way. Going through the readers of all columns for them
takes three times as long as the function generated here, in which every question that the field policy and the header
answer is answered already. Whatever it cannot answer at once it leaves to `Rows.row`, which decides what a row is and
alone knows reasons; so the two never differ in what they make of a row, only in time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from crmctl.customers import usualcells
from crmctl.customers.drafting import Draft, Memory
from crmctl.customers.model import Key, Row
from crmctl.customers.placing import place_of
from crmctl.customers.policy import CustomerField
from crmctl.customers.reaching import FORMATS
from crmctl.customers.usualcells import PLACES, UNTIDY
from crmctl.security.identity import IDENTITY_KINDS
from crmctl.sheets.formats.texts import Fault, organisation_key, person_key
from crmctl.sheets.model import Rejected
from crmctl.sheets.readers import Money, Read

if TYPE_CHECKING:
    from crmctl.customers.rows import Rows

Outcome = Row | Rejected
Make = Callable[[int, list[str]], Outcome]
_SPELLINGS = 1000  # of customer types
_FOLDED = {
    IDENTITY_KINDS["org_name"]: organisation_key,
    IDENTITY_KINDS["person_name"]: person_key,
    IDENTITY_KINDS["contact_name"]: person_key,
}
_TEXTS = ("text", "name", "organisation_name")
_SEVERAL = tuple(IDENTITY_KINDS[kind] for kind in ("mobile", "landline", "email"))  # values of one cell


def usual_rows(rows: Rows) -> Make:
    """Return the function from record number and cells to their outcome, quick for the usual ones."""
    general, width = rows.row, rows.width
    memories: dict[tuple[str, bool], Memory] = {}
    makes = Memory(lambda kind: _Writer(rows, kind, memories).make(), len(rows.settings.types))  # of types that occur

    def make_of(cell: str) -> Make | None:
        """Return what makes rows of the type that a cell names; None when it takes more than the cell to know."""
        try:
            kind = rows.read_type(cell) or rows.given_type
        except Fault:
            return general
        make: Make | None = makes[kind] if kind else None
        return make

    column = rows.type_column
    index = -1 if column is None else column.index
    by_cell = Memory(make_of, _SPELLINGS)
    default, signs = rows.settings.default_type, rows.signs

    def row(number: int, cells: list[str]) -> Outcome:
        if len(cells) != width:
            return general(number, cells)
        make: Make | None = by_cell[cells[index] if index >= 0 else ""]
        if make is None:
            make = makes[default.organisation if signs.organisation(cells) else default.person]
        return make(number, cells)

    return row


def _quoted(cells: tuple[str, ...]) -> bool:
    return any(cell[:1] == "'" for cell in cells)


class _Writer:
    """Writes the function for the rows of one type."""

    def __init__(self, rows: Rows, kind: str, memories: dict[tuple[str, bool], Memory]) -> None:
        self.rows = rows
        self.memories = memories
        self.kind = kind
        self.organisation = rows.parties[kind]
        self.draft = Draft(
            "def make(number, cells):", general=rows.row, kind=kind, new=tuple.__new__, Row=Row, Key=Key,
            untidy=UNTIDY, quoted=_quoted, joins=rows.joins,
        )  # fmt: skip
        self.columns = [
            (column.index, rows.settings.by_code[code])
            for code, column in rows.mapping.fields.items()
            if code != "type" and not rows.settings.by_code[code].join
        ]

    def make(self) -> Make:
        """Return the function."""
        write = self.draft.write
        texts = [i for i, item in self.columns if item.format in _TEXTS]
        write(
            f"""
            {", ".join(f"c{i}" for i in range(self.rows.width))}, = cells
            clear, attributes, own, blank, flags = {{}}, {{}}, {{}}, [], []
            person = {"{}" if self.organisation else "own"}
            texts = {", ".join(f"c{i}" for i in texts) or "''"},
            text = "".join(texts)
            tidy = untidy(text) is None and ("'" not in text or not quoted(texts))
            """
        )
        self.draft.begin("try:")
        self._columns()
        self._parties()
        self._amounts()
        self._reach()
        self.draft.end("except ValueError:\n    return general(number, cells)")
        self._checks()
        self._keys()
        if self.rows.moves:
            write("blank = [code for code in blank if code not in clear and code not in attributes")
            write("    and code not in own and code not in person and code != 'customer_name']")
        contact = "person or None" if self.organisation else None
        write(
            f"""
            return new(Row, (
                number, kind, {self.organisation}, clear, attributes, own, {contact},
                tuple(blank), keys, tuple(dict.fromkeys(flags)) if flags else (), None,
            ))
            """
        )
        return self.draft.compiled("make")

    def _remember(self, name: str, read: Read, most: int) -> Memory:
        """Return the memory that all types of a party share."""
        return self.memories.setdefault((name, self.organisation), Memory(read, most))

    def _place(self, item: CustomerField) -> int:
        return place_of(item, "organisation" if self.organisation else "person")

    def _columns(self) -> None:
        context = self.rows.context
        for i, item in self.columns:
            place = self._place(item)
            if item.format in (*FORMATS, "money"):
                continue
            read = self.rows.reader(item, self.organisation)
            if item.format in (*_TEXTS, "notes"):
                usualcells.write_text(self.draft, i, item, place, read, context)
            else:
                usualcells.write_read(self.draft, i, item, place, read, self._remember)

    def _parties(self) -> None:
        """Joined columns, and 客户名称, whomever it names; what takes more than that is left to the general way."""
        if self.rows.joins.parts:
            self.draft.write(
                f"""
                faults = []
                joins.take(cells, (clear, attributes, own, person), {self.organisation}, faults, blank)
                if faults:
                    return general(number, cells)
                """
            )
        if not self.rows.names_party:
            return
        company = PLACES[self._place(self.rows.settings.by_code["company_name"])]
        self.draft.write("party = own.pop('customer_name', None)")
        if self.organisation:
            condition = f"{company}.setdefault('company_name', party) != party or person.get('name') == party"
        else:
            condition = "own.setdefault('name', party) != party"
        self.draft.write(f"if party is not None and ({condition}):\n    return general(number, cells)")

    def _amounts(self) -> None:
        rows = self.rows
        home = rows.settings.currency
        named = "clear.get('currency') or attributes.get('currency')" if rows.mapping.has("currency") else None
        self.draft.write(f"currency = {named}")
        for i, item in self.columns:
            if item.format == "money":
                money = Money(item, rows.mapping.fields[item.code].unit, rows.context)
                usualcells.write_money(self.draft, i, item, money, home)

    def _reach(self) -> None:
        """Numbers and addresses: those spelled as usual first, then the others, mobiles before landlines."""
        rows = self.rows
        columns = [(i, item) for form in FORMATS for i, item in self.columns if item.format == form]
        country = rows.settings.by_code.get("country")
        if rows.has_country and country is not None:
            place = PLACES[self._place(country)]
            self.draft.write(f"region = region_of({place}.get('country'))", region_of=rows.region_of)
        else:
            self.draft.write("region = None")
        late = []
        for i, item in columns:
            others = rows.has_country and any(item.code in (two.overflow, two.mobile_to) for _i, two in columns)
            late.append(usualcells.write_reach(self.draft, i, item, self._place(item), rows.context, plain=not others))
        for write_late in late:
            write_late(self.organisation)

    def _checks(self) -> None:
        rows = self.rows
        missing = [f"{code!r} not in {PLACES[place]}" for place, code in rows.required[self.kind]]
        if self.organisation:
            missing += [f"person and {code!r} not in person" for code, _others in rows.beside]
        if missing:
            self.draft.write(f"if {' or '.join(missing)}:\n    return general(number, cells)")

    def _keys(self) -> None:
        write = self.draft.write
        write("keys = []")
        quick = {item.code: i for i, item in self.columns if item.format in FORMATS}
        plan = self.rows.keys[self.kind].plan
        for n, (place, code, kind, strength, of_contact, comparable) in enumerate(plan):
            rest = f"{strength!r}, {of_contact}"
            write(f"s = {PLACES[place]}.get({code!r})")
            if kind in _SEVERAL:
                known = f"s is v{quick[code]}" if code in quick else "False"
                write(
                    f"""
                    if {known}:
                        keys.append(new(Key, ({kind}, s, {rest})))
                    elif s is not None:
                        values = comparable{n}(s)
                        for s in (values,) if values.__class__ is str else values:
                            keys.append(new(Key, ({kind}, s, {rest})))
                    """.replace(f"if {known}:", f"if s is not None and {known}:"),
                    **{f"comparable{n}": comparable},
                )
            else:
                value = f"fold{n}(s)" if kind in _FOLDED else "s"
                write(
                    f"if s is not None:\n    keys.append(new(Key, ({kind}, {value}, {rest})))",
                    **({f"fold{n}": _FOLDED[kind]} if kind in _FOLDED else {}),
                )
        write("keys = tuple(keys) if len(keys) < 5 else tuple(dict.fromkeys(keys))")
