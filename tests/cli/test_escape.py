"""Hostile characters made visible."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from crmctl.cli.escape import safe, styled


@given(st.text())
def test_nothing_acts_on_the_terminal_or_hides(text: str) -> None:
    shown = safe(text)

    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "LRI", "RLI", "FSI")]
    shown.encode("utf-8")


@given(
    st.text(
        alphabet=st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\u115f\u1160\u3164\uffa0")
    )
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_each_kind_of_hostile_character() -> None:
    assert safe("a\x1b[31m\x07\x9b\r\n\t") == "a\\x1b[31m\\x07\\x9b\\r\\n\\t"
    assert safe("\u202e\u2066\u200b\u200d\ufeff\u00ad\u2028") == "\\u202e\\u2066\\u200b\\u200d\\ufeff\\xad\\u2028"
    assert safe("\U000e0041\ud800") == "\\U000e0041\\ud800"
    assert safe("张三 · Zoë 🙂") == "张三 · Zoë 🙂"


def test_only_our_own_styling_emits_escapes() -> None:
    assert styled("a\x1b", "bad", True) == "\x1b[31ma\\x1b\x1b[0m"
    assert styled("a\x1b", "bad", False) == "a\\x1b"
    assert styled("a", "", True) == "a"
