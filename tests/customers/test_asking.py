"""What people type, answered in their language."""

from __future__ import annotations

from pathlib import Path

import pytest
import workspaces
from golden import Result, call

from crmctl.customers import asking
from crmctl.customers.identities import KINDS

MOBILE = "13900000001"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one enterprise and its contact person."""
    place = tmp_path_factory.mktemp("asking")
    (place / "one.csv").write_text(f"客户名称,联系人,手机号码\n甲公司,张三,{MOBILE}\n", "utf-8")
    folder = workspaces.make(place / "w")
    assert crmctl(folder, "customer", "import", str(place / "one.csv")).exit_code == 0
    return folder


def crmctl(folder: Path, *words: str) -> Result:
    return call(["-w", str(folder), *words])


@pytest.mark.parametrize(
    ("option", "english", "chinese"),
    [
        ("--tier", "no such tier", "没有这样的客户等级"),
        ("--type", "no such customer type", "没有这样的客户类型"),
        ("--status", "no such status", "没有这样的状态"),
        ("--org-unit", "no such org unit", "没有这样的所属机构"),
    ],
)
def test_what_is_unknown_is_named_in_words(folder: Path, option: str, english: str, chinese: str) -> None:
    for lang, words in (("en", english), ("zh", chinese)):
        told = crmctl(folder, "customer", "list", option, "nonsense", "--lang", lang)
        assert told.exit_code == 4
        assert words in told.stderr


def test_a_value_that_is_none_is_named_in_words(folder: Path) -> None:
    told = crmctl(folder, "customer", "find", "--mobile", "1390000000O", "--lang", "zh")
    assert told.exit_code == 4
    assert "要查的值不是有效的手机号码" in told.stderr


def test_every_kind_that_find_asks_for_has_a_name() -> None:
    assert set(asking.KINDS.values()) <= KINDS.keys()


def test_history_names_its_objects_in_words(folder: Path) -> None:
    shown = crmctl(folder, "customer", "history", "1", "--lang", "zh").stdout
    assert "对接人" in shown
    assert "contact" not in shown
    programs = crmctl(folder, "customer", "history", "1", "-o", "json").stdout
    assert '"object": "contact"' in programs
