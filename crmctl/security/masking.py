"""What is shown of a personal value to whoever may not see it: enough to recognise, not enough to use.

Never more than 3 + 2 of 11 digits (GB/T 35273-2020 7.2; security.md A22), never the whole of any value, and never its
length where that says something. Masking a masked value shows nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

STAR = "*"
HIDDEN = "***"

# Two-character surnames; everybody else's first character is the surname.
_SURNAMES = (
    "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容仲孙钟离长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐段干百里"
    "呼延东郭南门羊舌微生梁丘左丘东门西门第五歐陽司馬諸葛東方獨孤聞人長孫軒轅鮮于鍾離淳于单于叱干完颜耶律纳兰那拉"
)
_COMPOUND = frozenset(_SURNAMES[at : at + 2] for at in range(0, len(_SURNAMES), 2))
_REGION = re.compile(
    r"(?:.{2,7}?(?:特别行政区|自治区|省))?(?:.{2,8}?(?:自治州|地区|市|盟|州))?(?:.{1,8}?(?:新区|区|县|旗|市))?"
)
_DATE = re.compile(r"([0-9]{4})([-/.年]).+")
_SEPARATORS = frozenset("+-()（） .")
_MOST_REGION = 6


def mask(kind: str, value: str) -> str:
    """Return what is shown of `value`; a kind nobody knows hides it all. `none` is for fields that are not personal."""
    if kind == "none" or not value:
        return value
    shown = _MASKS.get(kind, _text)(value)
    if value in shown:  # a value of a character or two, or of nothing but stars
        return HIDDEN if value not in HIDDEN else STAR
    return shown


def _text(value: str) -> str:
    return HIDDEN


def _name(value: str) -> str:
    """张三 → 张*, 欧阳娜娜 → 欧阳*, John Smith → J*."""
    text = value.strip()
    surname = text[:2] if text[:2] in _COMPOUND and len(text) > 2 else text[:1]
    return (surname if len(text) > len(surname) else "") + STAR


def _digits(value: str) -> str:
    """13812345678 → 138******78; a leading +86 stays; separators stay, letters do not."""
    prefix = "+86" if value.startswith("+86") and len(value) > 6 else ""
    return prefix + _ends(value[len(prefix) :], 3, 2, 11)


def _ends(value: str, head: int, tail: int, of: int) -> str:
    """Return `value` with the first `head` and last `tail` of `of` characters shown, fewer of a shorter value."""
    total = sum(sign not in _SEPARATORS for sign in value)
    first = min(head, total * head // of)
    last = total - min(tail, total * tail // of)
    shown, seen = [], 0
    for sign in value:
        if sign in _SEPARATORS:
            shown.append(sign)
            continue
        shown.append(sign if seen < first or seen >= last else STAR)
        seen += 1
    return "".join(shown)


def _email(value: str) -> str:
    """alice@qq.com → a***@q***.com; a part of one character shows nothing."""
    local, at, domain = value.strip().rpartition("@")
    if not at:
        return HIDDEN
    host, dot, ending = domain.rpartition(".")
    if not dot:
        host, ending = domain, ""
    return f"{_first(local)}@{_first(host)}{dot}{ending}"


def _first(part: str) -> str:
    return (part[0] if len(part) > 1 else "") + HIDDEN


def _id(value: str) -> str:
    """110101199003078515 → 1****************5: neither region nor birthday."""
    return _ends(value.strip(), 1, 1, 8)


def _code(value: str) -> str:
    """CUST-2024-0815 → CU***15, without its length; the ends only of a code of six and more."""
    text = value.strip()
    return f"{text[:2]}{HIDDEN}{text[-2:]}" if len(text) >= 6 else HIDDEN


def _address(value: str) -> str:
    """北京市朝阳区建国路88号 → 北京市朝阳区***: the region alone, at most six characters and half of the whole."""
    text = value.strip()
    region = _REGION.match(text)
    length = min(region.end() if region else 0, _MOST_REGION, len(text) // 2)
    return text[:length] + HIDDEN


def _date(value: str) -> str:
    """1990-03-07 → 1990-**-**: the year alone."""
    found = _DATE.fullmatch(value.strip())
    return f"{found[1]}-**-**" if found else HIDDEN


_MASKS: Mapping[str, Callable[[str], str]] = {
    "name": _name,
    "mobile": _digits,
    "phone": _digits,
    "email": _email,
    "id": _id,
    "text": _text,
    "address": _address,
    "date": _date,
    "code": _code,
}
KINDS = (*_MASKS, "none")
