"""A folder of policies to spoil: a copy of the starter set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crmctl import i18n
from crmctl.locate import shipped


@pytest.fixture(autouse=True)
def english():
    """Messages of these tests are read in English."""
    i18n.use("en")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the starter set."""
    copy = tmp_path / "policies"
    copy.mkdir()
    for source in shipped("policies").glob("*.yaml"):
        if not source.name.startswith("_"):
            shutil.copy(source, copy)
    return copy


@pytest.fixture
def edit(folder: Path):
    """Return a function that replaces text in one file of the copy, where it stands exactly once."""

    def replace(name: str, old: str, new: str) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old, text.count(old))
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace
