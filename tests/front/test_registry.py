"""What root registers is believed; nothing that anybody else could have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crmctl.errors import InvalidInput
from crmctl.front import registry

GOOD = "workspace: {place}/ws\nservice: '61201'\npython: /opt/crmctl/bin/python\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good registration."""
    place = tmp_path / "etc"
    place.mkdir(mode=0o755)
    write(place / "crm.yaml", GOOD.format(place=tmp_path))
    (tmp_path / "ws").mkdir()
    return place


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text, "utf-8")
    path.chmod(mode)


def read(folder: Path) -> tuple[registry.Entry, ...]:
    return registry.read(str(folder), os.getuid())


def test_a_registration_says_what_sudo_runs(folder: Path) -> None:
    (entry,) = read(folder)

    assert (entry.workspace, entry.uid) == (str(folder.parent / "ws"), 61201)
    assert entry.command("--behind-front") == (
        ["/usr/bin/sudo", "-n", "-u", "#61201", "--", "/opt/crmctl/bin/python", "-I", "-m", "crmctl", "--behind-front"]
    )


def test_an_account_may_have_its_name(folder: Path) -> None:
    write(folder / "crm.yaml", GOOD.format(place=folder.parent).replace("'61201'", "daemon"))

    (entry,) = read(folder)

    assert (entry.service, entry.uid > 0) == ("daemon", True)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_what_others_may_write_is_not_believed(folder: Path, mode: int) -> None:
    (folder / "crm.yaml").chmod(mode)
    with pytest.raises(InvalidInput, match="not believed"):
        read(folder)


def test_a_folder_that_others_may_write_is_not_believed(folder: Path) -> None:
    folder.chmod(0o775)
    with pytest.raises(InvalidInput, match="not believed"):
        read(folder)


def test_what_another_owns_is_not_believed(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="not believed"):
        registry.read(str(folder), os.getuid() + 1)


def test_a_link_is_not_believed(folder: Path) -> None:
    (folder / "other.yaml").symlink_to("crm.yaml")
    with pytest.raises(InvalidInput, match="not believed"):
        read(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'61201'", "root"),
        ("'61201'", "'0'"),
        ("'61201'", "nobody-of-this-name"),
        ("/opt/crmctl/bin/python", "bin/python"),
        ("python:", "sudo: sudo\npython:"),
        ("python:", "shell: /bin/sh\npython:"),
        ("service: '61201'\n", ""),
    ],
)
def test_a_registration_that_is_none_is_refused(folder: Path, old: str, new: str) -> None:
    write(folder / "crm.yaml", GOOD.format(place=folder.parent).replace(old, new))
    with pytest.raises(InvalidInput) as failure:
        read(folder)
    assert failure.value.code == "REGISTRY_INVALID" and "crm.yaml" in failure.value.message


def test_a_workspace_is_found_by_name_by_link_and_from_within(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = read(folder)
    place = folder.parent
    (place / "link").symlink_to("ws")
    (place / "ws" / "deep").mkdir()

    assert registry.find(entries, str(place / "ws")) == entries[0]
    assert registry.find(entries, str(place / "link")) == entries[0]
    assert registry.find(entries, str(place / "ws" / "deep")) is None
    monkeypatch.chdir(place / "ws" / "deep")
    assert registry.find(entries, "") == entries[0]
    monkeypatch.chdir(place)
    assert registry.find(entries, "") is None
    assert registry.find(entries, "ws/../ws") == entries[0]
