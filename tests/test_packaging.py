"""What people install holds everything: the wheel, the same wheel from the sdist, a checkout, an editable install."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import crmctl
from crmctl.store import migrate

ROOT = Path(__file__).parents[1]
SOURCES = ("crmctl", "alembic", "policies", "setup.cfg", "pyproject.toml", "README.md")
NOT_SHIPPED = (".po", ".keep")
# For type checkers only; and what pydantic itself pins to one version.
NOT_DECLARED = {"_typeshed", "pydantic_core"}
PLACES = {"alembic": "crmctl/_alembic", "policies": "crmctl/_policies"}


def expected_files() -> set[str]:
    """Return the names a wheel must hold: all of crmctl/, alembic/ and policies/, the last two inside the package."""
    found = set()
    for top in ("crmctl", "alembic", "policies"):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(NOT_SHIPPED):
                found.add(str(Path(PLACES.get(top, top)) / path.relative_to(ROOT / top)))
    return found


def build(kind: str, source: Path, into: Path) -> Path:
    """Build with what is installed, in a copy: nothing appears in the checkout."""
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(into), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return next(into.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files in a folder of their own: an installation, with this environment's libraries behind it."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_everything_and_nothing_else(wheel: Path) -> None:
    assert contents(wheel) == expected_files()


def test_the_sdist_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", source, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    unpacked = tmp_path / f"crmctl-{crmctl.__version__}"
    assert contents(build("wheel", unpacked, tmp_path / "again")) == contents(wheel)


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        stem = f"crmctl-{crmctl.__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{stem}/METADATA").decode())
        scripts = archive.read(f"{stem}/entry_points.txt").decode()
    assert (metadata["Name"], metadata["Version"]) == ("crmctl", crmctl.__version__)
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"postgres", "dev"} <= set(metadata.get_all("Provides-Extra", []))
    assert "crmctl = crmctl.cli.app:main" in scripts


FIND = "from crmctl.locate import shipped; print(shipped('policies')); print(shipped('alembic'))"


def found_from(folder: Path, path: Path | None) -> list[Path]:
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    done = subprocess.run(
        [sys.executable, "-c", FIND], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return [Path(line) for line in done.stdout.splitlines()]


def test_policies_and_revisions_are_found_in_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    assert found_from(tmp_path, installed) == [installed / "crmctl/_policies", installed / "crmctl/_alembic"]


def test_policies_and_revisions_are_found_in_a_checkout(source: Path, tmp_path: Path) -> None:
    assert found_from(source, None) == [source / "policies", source / "alembic"]
    assert found_from(tmp_path, source) == [source / "policies", source / "alembic"]


def test_policies_and_revisions_are_found_in_an_editable_install(tmp_path: Path) -> None:
    assert found_from(tmp_path, None) == [ROOT / "policies", ROOT / "alembic"]


def test_an_installed_wheel_migrates_a_database(installed: Path, tmp_path: Path) -> None:
    script = (
        "import crmctl\n"
        "from crmctl.store import migrate\n"
        "from crmctl.store.engine import open_engine\n"
        "engine = open_engine('sqlite:///crmctl.db')\n"
        "migrate.upgrade(engine)\n"
        "print(crmctl.__file__, migrate.current(engine), migrate.check(engine))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1) == [str(installed / "crmctl/__init__.py"), f"{migrate.HEAD} []\n"]


def test_every_library_imported_is_declared() -> None:
    requirements = [Requirement(line) for line in distribution("crmctl").requires or []]
    declared = {
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is None or "dev" not in str(requirement.marker)
    }
    owners = packages_distributions()
    imported = set()
    for path in [*(ROOT / "crmctl").rglob("*.py"), *(ROOT / "alembic").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            imported.update(name.partition(".")[0] for name in names)
    foreign = {name for name in imported if name not in sys.stdlib_module_names} - {"crmctl", "", *NOT_DECLARED}
    undeclared = {name for name in foreign if not {canonicalize_name(d) for d in owners.get(name, [])} & declared}
    assert undeclared == set()


def test_every_requirement_says_why_and_how_new() -> None:
    """One line of reason above each (or its group), and a lower bound: design §10."""
    text = (ROOT / "setup.cfg").read_text("utf-8")
    blocks = re.findall(r"^(?:install_requires|postgres) =\n((?:    .*\n)+)", text, re.M)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.startswith("#"):
            assert before.startswith("#"), f"{line}: no reason"
            assert ">=" in line, f"{line}: no lower bound"
    assert len(lines) >= 28  # a reason and a requirement each
