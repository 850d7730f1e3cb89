"""What the pages say is what the program does: tables, commands and options, links, the tour."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import docpages
import golden
import pytest
from docpages import PAGES, ROOT, name_of

from crmctl import clock
from crmctl.cli.table import COMMANDS
from crmctl.setup import init

UPDATE = os.environ.get("UPDATE_DOCS") == "1"
TOURS = {
    "README.md": "en",
    "docs/auditor.md": "en",
    "docs/zh/快速开始.md": "zh",
}  # page → language of what the program says on it
FORGED = "docs/auditor.md"  # where a forgery is shown, and found
REFUSED = "README.md"  # where a purpose that policy forbids is refused
HOW = "UPDATE_DOCS=1 pytest tests/test_docs.py writes it; then read the diff"
WORKING = ("README.md", "SECURITY.md", "CHANGELOG.md", "LICENSE")
WIDEST = 120

pages = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pages
def test_made_tables(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    made = docpages.with_tables(text)
    if UPDATE and made != text:
        page.write_text(made, encoding="utf-8")
    else:
        assert made == text, f"a made table of {name_of(page)} is not what the program says: {HOW}"


def test_each_made_table_is_on_some_page() -> None:
    shown = {name for page in PAGES for name in docpages.made_names(page.read_text(encoding="utf-8"))}
    assert shown == set(docpages.TABLES)


# Commands --------------------------------------------------------------------------------------------------------


def test_commands_and_options_exist() -> None:
    wrong = [
        f"{shown}: {problem}" for shown in docpages.shown_commands() if (problem := docpages.resolve(shown.words)[1])
    ]
    assert not wrong, "\n".join(wrong)


def test_every_command_is_shown() -> None:
    used = {docpages.resolve(shown.words)[0] for shown in docpages.shown_commands() if shown.words}
    assert {entry.path for entry in COMMANDS} <= used


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("customer import FILE --mode upsert -w DIR", ""),
        ("-w DIR customer find --mobile -", ""),
        ("customer imprt FILE", "no command imprt"),
        ("customer import FILE --modus upsert", "no option --modus"),
        ("audit verify --mode create", "no option --mode"),
    ],
)
def test_resolve_tells_what_does_not_exist(words: str, problem: str) -> None:
    assert docpages.resolve(shlex.split(words))[1] == problem


# Facts that pages repeat -----------------------------------------------------------------------------------------


def test_every_audit_problem_is_explained() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "crmctl" / "audit").glob("verify*.py"))
    codes = set(re.findall(r'"([A-Z]+_[A-Z]+)"', source))
    assert len(codes) > 20
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert [code for code in sorted(codes) if f"`{code}`" not in text] == []


def test_every_flag_is_explained() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "crmctl" / "customers").rglob("*.py"))
    flags = set(re.findall(r"(?:flags\.append\(|flag=)([A-Z]+_[A-Z_]+)", "".join(sources))) | {"SHARED_KEY"}
    assert len(flags) >= 4
    text = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    assert [flag for flag in sorted(flags) if f"`{flag}`" not in text] == []


def test_named_functions_exist() -> None:
    """`customers/intake.py: start` on a page means crmctl/customers/intake.py and a function or class there."""
    found = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for file, name in re.findall(r"`((?:[a-z]+/)*[a-z_]+\.py)(?:: ([A-Za-z_.]+))?`", text):
            if "/" not in file and not name:
                continue  # `decide.py`: the file of that name in any room
            path = next((p for p in (ROOT / "crmctl" / file, ROOT / file) if p.is_file()), None)
            assert path is not None, f"{name_of(page)}: {file}"
            last = name.rpartition(".")[2]
            if last:
                source = path.read_text(encoding="utf-8")
                assert re.search(rf"(?:def|class) {last}\b|^{last}\b.* = ", source, re.MULTILINE), f"{file}: {name}"
                found += 1
    assert found > 20


# Links and text --------------------------------------------------------------------------------------------------


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in docpages.links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in docpages.anchors(there), f"{name_of(page)}: {target}"


@pages
def test_text_discipline(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert "\t" not in text
    wrong = [line for line in text.splitlines() if line != line.rstrip()]
    assert wrong == []
    assert re.findall(r"(?<![\w.<])/(?:tmp|work|root|home|Users)/\S*", text) == [], "a path of somebody's machine"
    assert re.findall(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b", text) == []
    assert [number for number, line in docpages.prose(text) if len(line) > WIDEST] == []


def test_pages_there() -> None:
    assert all((ROOT / name).stat().st_size > 500 for name in WORKING)


# The tour --------------------------------------------------------------------------------------------------------

_TOUR = re.compile(r"(?<=<!-- tour -->\n).*(?=<!-- /tour -->)", re.DOTALL)
_CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
# What differs from run to run: moments, speed, random identifiers.
_VARYING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", "MOMENT"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "MOMENT"),
    (r"crmctl/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "LOG"),
    (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "INSTANCE"),
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}", "+KEY"),
    (r"^[A-Za-z0-9+/]{43}=$", "ROOT"),
    (r"(?<=— LOG )[A-Za-z0-9+/=]+", "SIGNATURE"),
    (r"in [\d.]+ s \([\d,]+ rows/s\)", "in SOME s"),
    (r"[\d.]+ 秒（每秒 [\d,]+ 行）", "SOME 秒"),
    (r"\b[0-9a-f]{12,64}\b", "HASH"),
    (r"\b(?:[A-Z2-7]{5}-){9}[A-Z2-7]{2}\b", "RECEIPT"),
    (r"digest \d+ of 3", "digest ONE of 3"),
)


def _settled(text: str) -> str:
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


def _typed(line: str, folder: Path, language: str, workspace: str = "") -> golden.Result:
    """Run a line as if typed: our commands in this process, `> FILE` as said; others by bash."""
    words = shlex.split(line)
    if words[0] != "crmctl":
        env = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True)
        return golden.Result(done.returncode, done.stdout, done.stderr)
    target = words[-1] if words[-2] == ">" else ""
    env = {"CRMCTL_LANG": language, **({"CRMCTL_WORKSPACE": workspace} if workspace else {})}
    result = golden.call(words[1:-2] if target else words[1:], cwd=folder, env=env)
    if target:
        (folder / target).write_text(result.stdout, encoding="utf-8")
        return result._replace(stdout="")
    return result


@pytest.mark.parametrize("name", TOURS)
def test_the_tour_is_real(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a page's tour, command by command, and compare what it shows; /srv stands for the folder."""
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    tour = _TOUR.search(text)
    assert tour is not None
    shutil.copytree(ROOT / "crmctl" / "setup" / "sample", tmp_path / "crmctl" / "setup" / "sample")
    monkeypatch.setattr(init, "_person", lambda: "lina")

    def run(block: re.Match[str]) -> str:
        shown = []
        for line in block.group().splitlines():
            if line.startswith("$ "):
                result = _typed(line[2:], tmp_path, TOURS[name])
                allowed = (0, 3, 14, *((13,) if name == FORGED else (6,) if name == REFUSED else ()))
                assert result.exit_code in allowed, f"{line}: {result.stderr}"  # never shown as a tour
                said = (result.stdout + result.stderr).replace(str(tmp_path), "/srv")
                status = [f"[exit {result.exit_code}]"] if result.exit_code else []
                shown += [line, *(text.rstrip() for text in said.splitlines()), *status]
        return "\n".join(shown) + "\n"

    now = _CONSOLE.sub(run, tour.group())
    if UPDATE and _settled(now) != _settled(tour.group()):
        page.write_text(text.replace(tour.group(), now), encoding="utf-8")
    else:
        assert _settled(tour.group()) == _settled(now), f"the tour shows something else by now: {HOW}"


# The worked examples ---------------------------------------------------------------------------------------------

# One company: what the first page leaves the second goes on with.
WORKED = ("docs/tiers.md", "docs/owners.md", "docs/complaints.md", "docs/holds.md")
CLOCKS = "docs/clocks.md"
PURGES = ("docs/retention.md", "docs/erasure.md", "docs/paper.md")  # in a workspace of several people
PEOPLE = {"lina": (2101, "steward, admin"), "wang": (2102, "supervisor"), "an": (2103, "auditor")}
AT = datetime(2026, 11, 22, 7, tzinfo=UTC)  # in another quarter other customers would have other owners
DECIDED = {"core_annual_amount": 30_000, "important_annual_amount": 10_000}  # as docs/tiers.md says


def _northwind(folder: Path) -> str:
    """Make the company of the examples, with the numbers of the demo and those of the page; return its workspace."""
    shutil.copytree(ROOT / "docs" / "northwind", folder / "docs" / "northwind")
    place = folder / "crm"
    init.init(init.Request(place, "en"), AT)
    text = (ROOT / "policies" / "_demo_company.yaml").read_text("utf-8").replace("currency: CNY", "currency: USD")
    for name, value in DECIDED.items():
        text, count = re.subn(rf"(    {name}:\n      value: )\S+(\n      unit: )\S+", rf"\g<1>{value}\g<2>yuan", text)
        assert count == 1
    (place / "policies" / "company.yaml").write_text(text, "utf-8")
    return str(place)


def test_the_worked_examples_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what the pages show in `console` blocks, one page after the other, and compare what they show."""
    monkeypatch.setattr(init, "_person", lambda: "lina")
    monkeypatch.setattr(clock, "now", lambda: AT)
    workspace = _northwind(tmp_path)
    for name in WORKED:
        page, real = _replay(name, tmp_path, workspace, (1,) if name == "docs/complaints.md" else (), monkeypatch)
        assert page == real, f"{name} shows something else by now: {HOW}"


def test_the_clocks_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what docs/clocks.md shows in a new workspace; the iCal file on the page is the one that it imports."""
    monkeypatch.setattr(init, "_person", lambda: "lina")
    monkeypatch.setattr(clock, "now", lambda: AT)
    init.init(init.Request(tmp_path / "crm", "en", demo=True), AT)
    (calendar,) = re.findall(r"^```ics\n(.*?)^```$", (ROOT / CLOCKS).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "plant.ics").write_text(calendar, encoding="utf-8")
    page, real = _replay(CLOCKS, tmp_path, str(tmp_path / "crm"), (1, 3, 4), monkeypatch)
    assert page == real, f"{CLOCKS} shows something else by now: {HOW}"


def test_the_purges_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what the pages of purges show, and the program on the second; who types stands before the block."""
    monkeypatch.setattr(init, "_person", lambda: "lina")
    monkeypatch.setattr(clock, "now", lambda: AT)
    workspace = _northwind(tmp_path)
    _staff(Path(workspace))
    (program,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / PURGES[1]).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "recompute.py").write_text(program, encoding="utf-8")
    for name in PURGES:
        page, real = _replay(name, tmp_path, workspace, (3, 14), monkeypatch)
        assert page == real, f"{name} shows something else by now: {HOW}"


def _staff(workspace: Path) -> None:
    """Let the people of the pages work there, each under an account of their own."""
    path = workspace / "policies" / "access.yaml"
    papers = "confidentiality_signed: 2026-01-01, training_passed: 2026-01-01"
    lines = [f'    "{name}": {{uids: [{uid}], roles: [{roles}], {papers}}}' for name, (uid, roles) in PEOPLE.items()]
    people = "  people:\n" + "\n".join(lines) + "\n\n"
    text, count = re.subn(r"  people:.*?\n\n", lambda _m: people, path.read_text("utf-8"), count=1, flags=re.DOTALL)
    assert count == 1
    path.write_text(text, "utf-8")


_AS = re.compile(r"<!-- as: ([a-z]+) -->")  # from here on it is typed by that person
_CLOCK = re.compile(r"<!-- clock: ([0-9T:+-]+) -->")  # from here on it is that time


def _replay(
    name: str, folder: Path, workspace: str, allowed: tuple[int, ...] = (), patch: pytest.MonkeyPatch | None = None
) -> tuple[str, str]:
    """Run a page's `console` blocks; return the page, and as it would be with what the program says now.

    What varies from run to run is the same in both. `allowed` are statuses that it shows on purpose.

    With `patch`, the page says itself how late it is, and who is at the keyboard.
    """

    def run(block: re.Match[str]) -> str:
        shown = []
        moved = _CLOCK.findall(text, 0, block.start())
        if patch and moved:
            patch.setattr(clock, "now", partial(datetime.fromisoformat, moved[-1]))
        if patch and (who := _AS.findall(text, 0, block.start())):
            patch.setattr(os, "getresuid", lambda: (PEOPLE[who[-1]][0],) * 3)
        for line in block.group().splitlines():
            if line.startswith("$ "):
                result = _typed(line[2:], folder, "en", workspace)
                expected = (0, 1 if "--check" in line else 0, *allowed)
                assert result.exit_code in expected, f"{line}: {result.stderr}"
                said = (result.stdout + result.stderr).replace(str(folder), "/srv")
                status = [f"[exit {result.exit_code}]"] if result.exit_code else []
                shown += [line, *(text.rstrip() for text in said.splitlines()), *status]
        return "\n".join(shown) + "\n"

    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    now = _CONSOLE.sub(run, text)
    if UPDATE and _settled(now) != _settled(text):
        page.write_text(now, encoding="utf-8")
        text = now
    return _settled(text), _settled(now)
