"""Hostile characters made visible.

Names and texts come from strangers. A control, bidirectional or invisible character in one could drive the reader's
terminal or forge a line, so it is shown as its code. Only the program's own styling emits ESC.
"""

from __future__ import annotations

import re

# C0, DEL, C1; soft hyphen; Arabic letter mark; Hangul and Khmer fillers; zero widths and direction marks; line and
# paragraph separators, embeddings, overrides; invisible operators, isolates; fillers; BOM; interlinear marks; tags;
# variation selectors stay (they only choose a glyph); lone surrogates cannot be encoded.
HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
STYLES = {"good": "32", "warn": "33", "bad": "31", "strong": "1", "dim": "2"}


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe(text: str) -> str:
    """Return one line of `text` in which no character acts on the terminal or hides from the reader."""
    return HOSTILE.sub(_visible, text)


def styled(text: str, tone: str, color: bool) -> str:
    """Return safe text in the colour of `tone` ("good", "warn", "bad", "strong", "dim" or ""), if colour is wanted."""
    text = safe(text)
    return f"\x1b[{STYLES[tone]}m{text}\x1b[0m" if color and tone else text
