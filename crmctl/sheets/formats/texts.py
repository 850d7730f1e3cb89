"""Text of cells: width, invisible characters, the quote before a formula, and the forms in which names are compared."""

from __future__ import annotations

import re
from unicodedata import category, is_normalized, normalize

# ASVS 1.2.10: what a spreadsheet would run. Our exports put one `'` before it, which reading takes away again; a
# value that begins with quotes and then such a character gets one more, so that export and import cancel out.
FORMULA = "=+-@\t\r＝＋－＠"
_NEUTRALISED = re.compile(f"'+[{re.escape(FORMULA)}]")
_LIVE = re.compile(f"'*[{re.escape(FORMULA)}]")
# Full-width letters and digits, as Chinese input methods type them. Punctuation stays: firms are registered with （）.
_FULL_WIDTH = {
    **{0xFF10 + i: 0x30 + i for i in range(10)},
    **{0xFF21 + i: 0x41 + i for i in range(26)},
    **{0xFF41 + i: 0x61 + i for i in range(26)},
}
_SIGNS = re.compile(r"[\W_]+")  # all but letters and digits
_NO_SIGNS = {code: None for code in range(128) if not chr(code).isalnum()}
_ZERO_WIDTH_JOINER = "\u200d"  # holds an emoji together
# Further values of a cell are kept in one field, so parted.
PARTING = "; "


class Fault(ValueError):
    """A value that is not of its format; `code` is the reason that a rejected row carries."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def unquoted(cell: str) -> str:
    """Return `cell` without the one `'` that neutralised a formula character."""
    return cell[1:] if cell[:1] == "'" and _NEUTRALISED.match(cell) else cell


def inert(cell: str) -> str:
    """Return `cell` so that no spreadsheet runs it; `unquoted` gives it back exactly."""
    return "'" + cell if _LIVE.match(cell) else cell


def plain(cell: str) -> str:
    """Return `cell` in NFKC on one line, trimmed: for values whose signs and digits may be typed in any width."""
    if not cell.isascii() and not is_normalized("NFKC", cell):
        cell = normalize("NFKC", cell)
    if not cell.isprintable():
        cell = " ".join(_visible(cell).split())
    return cell.strip()


def wording(cell: str) -> str:
    """Return text for people on one line, trimmed: letters and digits half-width, punctuation as written."""
    if not cell.isprintable():
        cell = " ".join(_visible(cell).split())
    cell = cell.strip()
    if cell.isascii() or is_normalized("NFKC", cell):
        return cell
    return normalize("NFC", cell.translate(_FULL_WIDTH))


def full_width(text: str) -> str:
    """Return ASCII signs in full width."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def notes(cell: str) -> str:
    """Return text of several lines: NFC, without invisible characters, otherwise as written."""
    if not cell.isprintable():
        cell = _visible(cell)
    cell = cell.strip()
    return cell if cell.isascii() or is_normalized("NFC", cell) else normalize("NFC", cell)


def _visible(cell: str) -> str:
    """Return `cell` with plain spaces and line feeds, without control and other invisible characters."""
    signs = []
    for sign in cell.replace("\r\n", "\n").replace("\r", "\n"):
        kind = category(sign)
        if sign in "\n\t" or kind == "Zs":
            signs.append(sign if sign in "\n\t" else " ")
        elif kind in ("Zl", "Zp"):
            signs.append("\n")
        elif kind not in ("Cc", "Cf") or sign == _ZERO_WIDTH_JOINER:
            signs.append(sign)
    return "".join(signs)


def folded(text: str) -> str:
    """Return the form in which headers, codes and labels are compared: letters and digits only, case and width gone.

    companyName, company_name and "Company Name" are one.
    """
    if text.isascii():
        text = text.lower()
        return text if text.isalnum() else text.translate(_NO_SIGNS)
    text = normalize("NFKC", text).casefold()
    return text if text.isalnum() else _SIGNS.sub("", text)


def organisation_key(name: str) -> str:
    """Return the form in which registered names are compared: the exact name, whatever its width, case, spaces, signs.

    有限公司 and the like stay: names that differ in them are two companies.
    """
    key = folded(name)
    return key or name


def person_key(name: str) -> str:
    """Return the form in which people's names are compared: width, case and spaces do not matter, dots do not."""
    key = folded(name)
    return key or name
