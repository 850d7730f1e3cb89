"""A wheel, installed by pip into a folder of its own, run with an empty environment, from /, under a hard umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from commands import ROOT, Done, crmctl

SOURCES = ("crmctl", "alembic", "policies", "setup.cfg", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed into; its libraries are those of the tests."""
    copy, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", made, copy)
    (wheel,) = made.iterdir()
    folder = tmp_path_factory.mktemp("target")
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


def run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=commands.PATIENCE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def bare(target: Path, *words: object, **more: Any) -> Done:
    """Run the installed command with nothing in its environment but where it is and a language without letters."""
    environment = {"PYTHONPATH": str(target), "LANG": "C", **more.pop("env", {})}
    program = (sys.executable, target / "bin" / "crmctl")
    before = os.umask(0o077)
    try:
        return crmctl(None, *words, program=program, env=environment, cwd="/", **more)
    finally:
        os.umask(before)


def test_the_main_job_from_a_wheel_without_any_environment(target: Path, tmp_path: Path, small: Any) -> None:
    folder = tmp_path / "客户"
    clean = tmp_path / "客户.csv"
    clean.write_text("姓名,手机号,客户类别\n张示例,13900010001,个人客户\n李示例,13900010002,个人客户\n", "utf-8")

    assert bare(target, "init", folder, "--lang", "zh", "-q") == Done(0, b"", b"")
    at = ("-w", folder)
    assert bare(target, *at, "customer", "import", clean, "-q") == Done(0, b"", b"")
    rejected = bare(target, *at, "customer", "import", small.path, "-q", "-o", "json")
    assert (rejected.status, rejected.err, rejected.counts["rejected"]) == (3, b"", small.counts["rejected"])
    listed = bare(target, *at, "customer", "list", "--limit", 2)
    assert (listed.status, listed.err) == (0, b"")
    assert "客户" in listed.out.decode("utf-8")
    assert b"13900010001" not in listed.out
    counted = bare(target, *at, "customer", "list", "--count", "-o", "json")
    assert counted.document["count"] == 2 + small.counts["created"]
    assert bare(target, *at, "audit", "verify", "--changes", "--rows", "-q") == Done(14, b"", b"")
    failed = bare(target, *at, "customer", "import", tmp_path / "没有.csv", "-q")
    assert (failed.status, failed.out) == (4, b"")
    assert "没有.csv" in failed.err.decode("utf-8")

    assert oracle.complaints(folder) == []
    open_to_others = [
        path for place in (folder, Path(f"{folder}.keys")) for path in (place, *place.rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]  # fmt: skip
    assert open_to_others == []


def test_the_installed_program_is_the_one_that_ran(target: Path) -> None:
    """The control: the checkout is not what answers."""
    code = "import crmctl, crmctl.locate; print(crmctl.__file__, crmctl.locate.shipped('policies'))"
    done = crmctl(None, "-c", code, program=(sys.executable,), env={"PYTHONPATH": str(target)}, cwd="/")
    assert done.out.decode().split() == [str(target / "crmctl" / "__init__.py"), str(target / "crmctl" / "_policies")]


def test_files_are_owner_only_whatever_the_umask(target: Path, tmp_path: Path) -> None:
    folder = tmp_path / "crm"
    code = (
        "import os, sys; os.umask(0); sys.argv[0] = 'crmctl'\n"
        "from crmctl.cli.app import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    program = (sys.executable, "-c", code)
    environment = {"PYTHONPATH": str(target), "LANG": "C"}
    data = "姓名,手机号,客户类别\n张示例,13900010001,个人客户\n错示例,139,个人客户\n".encode()
    for words, status in (
        (("init", folder), 0),
        (("-w", folder, "customer", "import", "-", "--rejects", folder / "rejects.csv"), 3),
        (("-w", folder, "keys", "copy", tmp_path / "copy"), 0),
    ):
        done = crmctl(None, *words, program=program, env=environment, cwd="/", stdin=data)
        assert done.status == status, done.err
    loose = [
        path for place in (folder, Path(f"{folder}.keys"), tmp_path / "copy") for path in (place, *place.rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]  # fmt: skip
    assert loose == []
