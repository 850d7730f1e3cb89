"""How cells in their usual spelling are read: the lines of source for one column, by format (see `usual`).

`c3` is the cell of the column with index 3, `tidy` says that the text cells of the row hold nothing but tidy
characters. What the lines cannot answer they hand to the column's reader; a Fault of it is a ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from crmctl.customers.drafting import Draft, Memory
from crmctl.customers.placing import CLEAR, place_of
from crmctl.customers.policy import CustomerField, CustomersSettings
from crmctl.customers.reaching import ReachColumn
from crmctl.sheets.formats.emails import quick_email
from crmctl.sheets.formats.phones import MOBILE_PREFIXES, quick_abroad, quick_mobile
from crmctl.sheets.formats.texts import plain
from crmctl.sheets.readers import Context, Money, Read

# From a name, a reader and a size to the memory of that name: types share them, a file's days are remembered once.
Remember = Callable[[str, Read, int], Memory]
PLACES = ("clear", "attributes", "own", "person")
# Characters that text keeps as they are, but for spaces at the ends: ASCII, Latin letters, the usual Chinese ones, and
# the punctuation that names and addresses are written with. NFC leaves them alone beside each other, too.
TIDY = " -~\u00c0-\u024f\u4e00-\u9fa5，。、；：？！（）【】《》“”‘’—…·￥"
UNTIDY = re.compile(f"[^{TIDY}]").search
_UNTIDY_NOTES = re.compile(f"[^{TIDY}\n]").search
_CODES = 4096  # different cells of a column of codes
_DAYS = 1 << 15  # 90 years; also hours, of which some 20,000 are usual in five years of office hours
_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*").fullmatch
_LONGEST_EMAIL = 64
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d\d)?", re.ASCII).fullmatch
_DAY = 11  # characters of a day without time, at most
_MINUTES = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))


def write_text(draft: Draft, i: int, item: CustomerField, place: int, read: Read, context: Context) -> None:
    """Text: a tidy cell is itself."""
    silent = context.placeholders(item)
    tidy = f'c{i}[0] != "\'" and untidy_notes(c{i}) is None' if item.format == "notes" else "tidy"
    draft.write(
        f"""
        if c{i}:
            v = c{i}.strip() if {tidy} else read{i}(c{i})
            if v is None or len(v) < {max(map(len, silent)) + 1} and v.casefold() in silent{i}:
                blank.append({item.code!r})
            elif len(v) > {item.max_length}:
                return general(number, cells)
            else:
                {PLACES[place]}[{item.code!r}] = v
        else:
            blank.append({item.code!r})
        """,
        **{f"silent{i}": silent, f"read{i}": read, "untidy_notes": _UNTIDY_NOTES},
    )


def write_read(draft: Draft, i: int, item: CustomerField, place: int, read: Read, remember: Remember) -> None:
    """Any other format: codes and days come back again and again, so their readers are asked once."""
    most = {"choice": _CODES, "choices": _CODES, "date": _DAYS}.get(item.format)
    value = f"read{i}(c{i})" if most is None else f"read{i}[c{i}]"
    if item.format == "datetime":
        # A moment is its hour, remembered, and minutes and seconds, which no zone changes within an hour.
        draft.write(
            f"""
            if len(c{i}) > {_DAY}:
                v = hours{i}[c{i}[:13]] if c{i}[13:] in minutes else None
                v = v + c{i}[13:] + "Z" if v is not None else read{i}(c{i})
            else:
                v = days{i}[c{i}]
            """,
            **{
                f"hours{i}": remember(f"hours{i}", _hour_reader(read), _DAYS),
                f"days{i}": remember(f"days{i}", read, _DAYS),
            },
            **{f"read{i}": read, "minutes": _MINUTES},
        )
    else:
        draft.write(f"v = {value}", **{f"read{i}": read if most is None else remember(f"read{i}", read, most)})
    draft.write(
        f"""
        if v is None:
            blank.append({item.code!r})
        else:
            {PLACES[place]}[{item.code!r}] = v
        """
    )


def _hour_reader(read: Read) -> Callable[[str], str | None]:
    """Return a function from the begin of a moment, as in "2026-03-05 14", to that of its UTC stamp.

    None where the seconds of the hour do not share one.
    """

    def hour(head: str) -> str | None:
        first, last = read(head + ":00:00"), read(head + ":59:59")
        if first is None or last is None or first[:13] != last[:13] or len(head) != 13:
            return None
        return str(first[:13]) if (first[13:], last[13:]) == (":00:00Z", ":59:59Z") else None

    return hour


def write_money(draft: Draft, i: int, item: CustomerField, money: Money, home: str) -> None:
    """An amount: a bare number with two decimals or none, perhaps with commas; `currency` is the row's."""
    own = money.unit.currency or home
    least, most = item.range.least, item.range.most
    clearly = place_of(item, "organisation") == CLEAR  # a person's amounts are where an organisation's are
    if clearly:
        put = f"clear[{item.code!r}] = v; clear['currency'] = {own!r}"
    else:
        put = f"attributes[{item.code!r}] = v"
        put += "" if own == home else f"; attributes[{item.code + '_currency'!r}] = {own!r}"
    draft.begin(f"if c{i}:")
    draft.write("v = None")
    if money.decimals[own] == 2:
        draft.write(
            f"""
            if currency is None and c{i}.isascii() and len(c{i}) < 16:
                v = c{i}[:-3] + c{i}[-2:] if c{i}[-3:-2] == "." else c{i} + "00"
                if not v.isdecimal():
                    v = v.replace(",", "") if thousands(c{i}) else None
            """,
            thousands=_THOUSANDS,
        )
    draft.write(
        f"""
        if v is not None:
            v = int(v){"" if money.unit.factor == 1 else f" * {money.unit.factor}"}
        if v is not None and {0 if least is None else least * 100} <= v <= {10**17 if most is None else most * 100}:
            {put}
        elif take{i}(c{i}, currency, clear, attributes, flags):
            blank.append({item.code!r})
        """,
        **{f"take{i}": _amount_taker(item.code, money, clearly, home)},
    )
    draft.end(f"else:\n    blank.append({item.code!r})")


def _amount_taker(code: str, money: Money, clearly: bool, home: str) -> Callable[..., bool]:
    """Return a function that puts an amount of any spelling where it belongs, and says whether it is blank."""

    def take(
        cell: str, currency: str | None, clear: dict[str, Any], attributes: dict[str, Any], flags: list[str]
    ) -> bool:
        amount = money.read(cell, currency)
        if amount is None:
            return True
        if clearly:
            clear[code], clear["currency"] = amount.minor, amount.currency
        else:
            attributes[code] = amount.minor
            if amount.currency != home:
                attributes[f"{code}_currency"] = amount.currency
        if amount.rounded:
            flags.append("AMOUNT_ROUNDED")
        return False

    return take


def write_reach(
    draft: Draft, i: int, item: CustomerField, place: int, context: Context, *, plain: bool
) -> Callable[[bool], None]:
    """A number or an address in its usual spelling; return what writes the lines for all other spellings.

    `plain` says that no other column fills the field. The local `v3` is what the field has got if that was spelled
    as usual, else None.
    """
    settings = context.settings
    assert isinstance(settings, CustomersSettings)
    quick = {"mobile": _write_mobile, "email": _write_email}.get(item.format) if plain else None
    draft.write(f"v{i} = None")
    if quick is not None:
        draft.begin(f"if c{i} and region is None:")
        quick(draft, i, item, context)
        draft.end()
    code = item.code
    draft.write(
        f"if v{i} is not None:\n    {PLACES[place]}[{code!r}] = v{i}\nelif not c{i}:\n    blank.append({code!r})"
    )

    def write_late(organisation: bool) -> None:
        draft.write(
            f"""
            if c{i} and v{i} is None:
                take{i}(c{i}, region, (clear, attributes, own, person), {organisation}, flags, blank)
            """,
            **{f"take{i}": ReachColumn(i, item, settings, context).take},
        )

    return write_late


def _write_mobile(draft: Draft, i: int, item: CustomerField, context: Context) -> None:
    dud = frozenset(text for cell in context.placeholders(item) if (text := quick_mobile(cell)))

    def spelled(cell: str) -> str | None:
        """Return a mobile in another spelling, or a number of another country; None says nothing."""
        found = quick_mobile(cell)
        if found is None:
            text = plain(cell)
            found = quick_mobile(text)
            if found is None:
                abroad = quick_abroad(text)
                return abroad.number if abroad else None
        return None if found in dud else found

    draft.write(
        f"""
        if len(c{i}) == 11 and c{i}[:3] in prefixes and c{i}.isascii() and c{i}.isdecimal() and c{i} not in dud{i}:
            v{i} = "+86" + c{i}
        else:
            v{i} = spelled{i}(c{i})
        """,
        **{f"dud{i}": frozenset(text[3:] for text in dud), "prefixes": MOBILE_PREFIXES, f"spelled{i}": spelled},
    )


def _write_email(draft: Draft, i: int, item: CustomerField, context: Context) -> None:
    dud = frozenset(text for cell in context.placeholders(item) if (text := quick_email(cell)))
    longest = min(_LONGEST_EMAIL, item.max_length)

    def spelled(cell: str) -> str | None:
        """Return an address in another spelling; None says nothing."""
        found = quick_email(plain(cell))
        return None if found is None or found in dud or len(found) > longest else found

    draft.write(
        f"""
        local, _, domain = c{i}.partition("@")
        domain = domains[domain]
        if domain is not None and is_local(local):
            v{i} = local.lower() + domain
            if len(v{i}) > {longest} or v{i} in dud{i}:
                v{i} = None
        else:
            v{i} = spelled{i}(c{i})
        """,
        **{f"dud{i}": dud, "is_local": _LOCAL, "domains": _DOMAINS, f"spelled{i}": spelled},
    )


def _domain(domain: str) -> str | None:
    """Return `domain` as it stands in a normal address, with its @; None when it is not a usual one."""
    found = quick_email("a@" + domain)
    return found[1:] if found else None


_DOMAINS = Memory(_domain, _CODES)
