"""Column headers → fields of the policy, units of money included. What is not on the list stops the file (INF-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from crmctl.errors import InvalidInput
from crmctl.i18n import _, lang
from crmctl.sheets.formats.money import Unit
from crmctl.sheets.formats.texts import folded, plain
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.policy import SheetSettings

IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where it is, its header, its field (None: not read), why, and the unit its header names."""

    index: int
    header: str
    field: str | None
    why: str  # synonym, mapping, ignored, dropped, blank
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How the columns of one file are read; `width` is the number of cells of its header."""

    columns: tuple[Column, ...]
    width: int
    fields: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", {c.field: c for c in self.columns if c.field})

    def has(self, code: str) -> bool:
        """Return whether a column is read into field `code`."""
        return code in self.fields


def map_headers(
    header: Sequence[str],
    index: HeaderIndex,
    *,
    chosen: Mapping[str, str] | None = None,
    drop_unknown: bool = False,
    unnamed: frozenset[int] = frozenset(),
    unit: Unit | None = None,
) -> ColumnMapping:
    """Return how the columns under `header` are read.

    `chosen` maps headers to fields or `ignore`, before all synonyms. `unnamed` are columns with values but without a
    header, `unit` is what the file declares for amounts that name none. Raises InvalidInput for unknown columns, for
    headers that occur twice, and for two columns of one field.
    """
    wishes = _wishes(header, chosen or {}, index.settings)
    found = _assign(header, index, wishes)
    columns = [_column(i, text, found.get(i), index, unit, i in wishes) for i, text in enumerate(header)]
    unknown = [c for c in columns if c.why == "unknown" or (c.why == "blank" and c.index in unnamed)]
    if drop_unknown:
        gone = {c.index for c in unknown}
        columns = [Column(c.index, c.header, None, "dropped") if c.index in gone else c for c in columns]
    elif unknown:
        raise _unknown_columns(unknown, index)
    columns = index.settings.settle(columns)
    _refuse_twice(columns)
    return ColumnMapping(tuple(columns), len(header))


def check_required(mapping: ColumnMapping, settings: SheetSettings, type_code: str | None) -> None:
    """Refuse a file that cannot make a record of any type (or of `type_code`): InvalidInput names what is missing."""
    wanted = settings.lacking(mapping, type_code)
    if not wanted:
        return
    language = lang()
    raise InvalidInput(
        _("a required column is missing: {fields}").format(
            fields=_(" or ").join(item.label(language) for item in wanted)
        ),
        hint=_("headers that are understood: {headers}").format(
            headers="; ".join(", ".join(dict.fromkeys([*item.labels.values(), *item.headers[:6]])) for item in wanted)
        ),
        code="COLUMN_MISSING",
        details={"fields": [item.code for item in wanted]},
    )


def _wishes(header: Sequence[str], chosen: Mapping[str, str], settings: SheetSettings) -> dict[int, str]:
    """Return the field that `--mapping` names for each column."""
    by_key = {folded(text) or text: code for text, code in chosen.items()}
    present = {folded(text) or text for text in header}
    for text, code in chosen.items():
        if code != IGNORE and code not in settings.by_code:
            near = get_close_matches(code, settings.by_code, n=1)
            raise InvalidInput(
                _("mapping: {header}: there is no field {field}").format(header=text, field=code),
                hint=_("did you mean {field}?").format(field=near[0])
                if near
                else _("see: crmctl policy show {kind}").format(kind=settings.kind),
                code="MAPPING_INVALID",
            )
        if (folded(text) or text) not in present:
            raise InvalidInput(
                _("mapping: the file has no column {header}").format(header=text),
                hint=_("its columns are: {headers}").format(headers=", ".join(header)),
                code="MAPPING_INVALID",
            )
    return {i: by_key[key] for i, text in enumerate(header) if (key := folded(text) or text) in by_key and text.strip()}


def _assign(header: Sequence[str], index: HeaderIndex, wishes: Mapping[int, str]) -> dict[int, str]:
    """Return the field of each column that has one: wishes, then headers with one meaning, then those with several."""
    found = dict(wishes)
    keys = {i: index.split(text)[0] for i, text in enumerate(header) if text.strip() and i not in found}
    several = {i for i, key in keys.items() if key in index.beside or len(index.names.get(key, ())) > 1}
    for i, key in keys.items():
        if i not in several and key in index.names:
            found[i] = index.names[key][0]
    for i in sorted(several):
        taken = set(found.values())
        there = [code for other, code in index.beside.get(keys[i], ()) if other in taken]
        free = [code for code in (*there, *index.names.get(keys[i], ())) if code not in taken]
        if free:
            found[i] = free[0]
        elif index.names.get(keys[i]):
            found[i] = index.names[keys[i]][0]
    return found


def _column(i: int, text: str, code: str | None, index: HeaderIndex, unit: Unit | None, wished: bool) -> Column:
    header = plain(text)
    if not header:
        return Column(i, "", None, "blank")
    if code == IGNORE:
        return Column(i, header, None, "mapping")
    key, own = index.split(text)
    if code is None:
        return Column(i, header, None, "ignored" if key in index.ignored else "unknown")
    money = index.settings.by_code[code].format == "money"
    if own is None and wished and money:
        own = index.unit_in_brackets(header)
    return Column(i, header, code, "mapping" if wished else "synonym", (own or unit) if money else None)


def _refuse_twice(columns: Sequence[Column]) -> None:
    first: dict[str, Column] = {}
    for column in columns:
        if column.field is None:
            continue
        key = folded(column.header) or column.header
        before = first.setdefault(f"header {key}", column)
        if before is column:
            before = first.setdefault(column.field, column)
        if before is not column:
            same = (folded(before.header) or before.header) == key
            message = (
                _("column {second}: the header {header} occurs twice (first in column {first})")
                if same
                else _("columns {first} ({before}) and {second} ({header}) both mean {field}")
            )
            raise InvalidInput(
                message.format(
                    first=letter(before.index), second=letter(column.index), before=before.header,
                    header=column.header, field=column.field,
                ),
                hint=_("rename one of them in the file")
                if same
                else _("say with --mapping FILE which of them to read and which to ignore"),
                code="HEADER_TWICE",
            )  # fmt: skip


def _unknown_columns(unknown: Sequence[Column], index: HeaderIndex) -> InvalidInput:
    names = [
        column.header or _("column {letter}, without a header").format(letter=letter(column.index))
        for column in unknown
    ]
    hints = []
    known = {name: codes[0] for name, codes in index.names.items()}
    for column in unknown:
        near = get_close_matches(folded(column.header), known, n=1, cutoff=0.75)
        if near:
            hints.append(f"{column.header} → {known[near[0]]}?")
    hint = _("map them with --mapping FILE, or leave them out with --drop-unknown")
    if hints:
        hint = _("did you mean: {pairs}; ").format(pairs=", ".join(hints)) + hint
    return InvalidInput(
        _("columns that the policy does not list: {headers}").format(headers=", ".join(names)),
        hint=hint,
        code="COLUMN_UNKNOWN",
        details={"columns": names},
    )


def load_mapping(path: Path) -> dict[str, str]:
    """Return what a mapping file says: `mapping:` from header to field or `ignore`.

    Raises InvalidInput when the file is no strict YAML of this form.
    """
    from crmctl.policy.loader import read_mapping

    content = read_mapping(path)
    mapping = content.get("mapping")
    if set(content) != {"mapping"} or not isinstance(mapping, dict) or not mapping:
        raise InvalidInput(
            _("{path}: a mapping file has one key, mapping, with headers and their fields").format(path=path),
            hint=_("as in: mapping: {example}").format(example='{"客户全名": customer_name, "传真": ignore}'),
            code="MAPPING_INVALID",
        )
    for header, code in mapping.items():
        if not isinstance(code, str):
            raise InvalidInput(
                _("{path}: {header}: a field or ignore is wanted").format(path=path, header=header),
                hint=_("see: crmctl policy list"),
                code="MAPPING_INVALID",
            )
    return {header: str(code) for header, code in mapping.items()}


def letter(index: int) -> str:
    """Return a column's letters as a spreadsheet shows them: 0 → A, 26 → AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(65 + rest) + text
    return text
