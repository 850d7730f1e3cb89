"""Values of a list: code, label, synonym; unknown ones kept or refused."""

from __future__ import annotations

import pytest

from crmctl.policy.model import CodeItem
from crmctl.sheets.formats.choices import choice_reader, choices_reader
from crmctl.sheets.formats.texts import Fault

ITEMS = [
    CodeItem(code="exhibition", labels={"zh": "展会", "en": "Exhibition"}, synonyms=("trade show",)),
    CodeItem(code="other", labels={"zh": "其他", "en": "Other"}),
]


def test_any_name_gives_the_code() -> None:
    read = choice_reader(ITEMS, keep=False)
    for name in ("exhibition", "展会", "EXHIBITION", "Trade-Show", "ｅｘｈｉｂｉｔｉｏｎ", " 展 会 "):
        assert read(name) == "exhibition"


def test_unknown_values() -> None:
    with pytest.raises(Fault, match="VALUE_UNKNOWN"):
        choice_reader(ITEMS, keep=False)("抖音")
    with pytest.raises(Fault, match="TYPE_UNKNOWN"):
        choice_reader(ITEMS, False, "TYPE_UNKNOWN")("?")
    assert choice_reader(ITEMS, keep=True)(" 抖音 ") == "抖音"
    assert choice_reader(None, keep=False)("anything") == "anything"


def test_several_values() -> None:
    read = choices_reader(ITEMS, keep=False)
    assert read("展会；Other;展会") == ("exhibition", "other")
    assert read(" ; ") == ()
    with pytest.raises(Fault):
        read("展会、抖音")
