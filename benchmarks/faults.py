"""The ways a row can be broken; each changes one cell of an otherwise good row."""

from __future__ import annotations

from collections.abc import Callable

import benchmarks.vocabulary as v

# columns that a fault may change
NAME, TYPE, MOBILE, EMAIL, AMOUNT, CONTACTED = 0, 2, 3, 4, 9, 10

Fault = Callable[[list[str], int, bytes], None]


def _amount_text(cells: list[str], index: int, b: bytes) -> None:
    cells[AMOUNT] = ("面议", "五万左右", "negotiable")[b[34] % 3]


def _date_impossible(cells: list[str], index: int, b: bytes) -> None:
    cells[CONTACTED] = ("2024-02-30 10:00:00", "2023-13-05 09:30:00", "2025-06-31 14:20:00", "2025年2月29日")[b[34] & 3]


def _email_no_at(cells: list[str], index: int, b: bytes) -> None:
    cells[EMAIL] = f"{v.MAIL_HEADS[b[6]]}.{index:x}.example.cn"


def _email_bad_domain(cells: list[str], index: int, b: bytes) -> None:
    cells[EMAIL] = f"{v.MAIL_HEADS[b[6]]}.{index:x}@{('mail..example.cn', 'example')[b[34] & 1]}"


def _mobile_letters(cells: list[str], index: int, b: bytes) -> None:
    cells[MOBILE] = f"138{b[33] % 100:02d}O{index % 100_000:05d}"


def _mobile_short(cells: list[str], index: int, b: bytes) -> None:
    cells[MOBILE] = f"13{b[33] % 10}{index % 10_000_000:07d}"


def _mobile_unassigned(cells: list[str], index: int, b: bytes) -> None:
    cells[MOBILE] = f"{v.UNASSIGNED_PREFIXES[b[33]]}{10_000_000 + index % 90_000_000}"


def _name_empty(cells: list[str], index: int, b: bytes) -> None:
    cells[NAME] = "  "


def _type_unknown(cells: list[str], index: int, b: bytes) -> None:
    cells[TYPE] = "vip?"


FAULTS: tuple[tuple[str, Fault], ...] = (
    ("amount_text", _amount_text),
    ("date_impossible", _date_impossible),
    ("email_no_at", _email_no_at),
    ("email_bad_domain", _email_bad_domain),
    ("mobile_letters", _mobile_letters),
    ("mobile_short", _mobile_short),
    ("mobile_unassigned", _mobile_unassigned),
    ("name_empty", _name_empty),
    ("type_unknown", _type_unknown),
)
