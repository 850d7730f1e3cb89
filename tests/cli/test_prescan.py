"""What is read of a command line before it is parsed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.cli.prescan import scan, workspace, workspace_language


@pytest.mark.parametrize(
    ("words", "lang", "output", "folder"),
    [
        (["--lang", "zh", "x"], "zh", "", ""),
        (["x", "--lang=zh", "--lang", "en"], "en", "", ""),
        (["-o", "json"], "", "json", ""),
        (["-ojson", "-w", "/a"], "", "json", "/a"),
        (["-nqvo", "csv"], "", "csv", ""),
        (["--output=json", "--workspace=/a"], "", "json", "/a"),
        (["-xo", "json"], "", "", ""),
        (["--", "--lang", "zh"], "", "", ""),
        (["--lang"], "", "", ""),
        ([], "", "", ""),
    ],
)
def test_the_last_value_counts(words: list[str], lang: str, output: str, folder: str) -> None:
    early = scan(words)

    assert (early.lang, early.output, early.workspace) == (lang, output, folder)


@given(st.lists(st.text(max_size=6) | st.sampled_from(["--lang", "-o", "-w", "--", "zh", "json", "--output="])))
def test_nothing_makes_it_fail(words: list[str]) -> None:
    assert scan(words).as_json in (True, False)


def test_the_workspace_is_found_upwards(tmp_path: Path) -> None:
    (tmp_path / "crmctl.yaml").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert workspace(scan([]), {}, str(below)) == str(tmp_path)
    assert workspace(scan([]), {"CRMCTL_WORKSPACE": "/x"}, str(below)) == "/x"
    assert workspace(scan(["-w", "/y"]), {"CRMCTL_WORKSPACE": "/x"}, str(below)) == "/y"


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        (b"lang: zh\n", "zh"),
        (b"schema: 1\r\nlang: 'en' # why\r\n", "en"),
        (b'lang: "zh"', "zh"),
        (b"  lang: zh\n", ""),
        (b"lang: fr\n", ""),
        (b"\xff\xfe\x00", ""),
        (b"", ""),
    ],
)
def test_the_workspace_s_language(tmp_path: Path, text: bytes, lang: str) -> None:
    (tmp_path / "crmctl.yaml").write_bytes(text)

    assert workspace_language(str(tmp_path)) == lang


def test_a_workspace_that_cannot_be_read_has_no_language(tmp_path: Path) -> None:
    (tmp_path / "crmctl.yaml").mkdir()

    assert workspace_language(str(tmp_path)) == ""
    assert workspace_language(str(tmp_path / "none")) == ""
