"""The house of design §2: sizes, which way imports point, light start-up, one clock, no SQL made of strings."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import crmctl

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "crmctl"
SHIPPED = PACKAGE / "audit" / "verifier"  # not of the house: one file that outsiders run where nothing else is
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if SHIPPED not in path.parents]
FILES += sorted((ROOT / "alembic").rglob("*.py"))

MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS = 400, 60, 7

BASE = {"errors", "clock", "files", "i18n", "locate", "log", "printed", "process", "workspace"}
FOUNDATIONS = {
    "cli",
    "front",
    "policy",
    "store",
    "security",
    "audit",
    "runs",
    "approvals",
    "use",
    "worktime",
    "sheets",
    "cases",
    "notify",
}

# Which room may use which other (base modules are everybody's). A new line here is a decision about the house.
ALLOWED = {
    "log": {"cli"},  # how a value is made harmless on a terminal
    "workspace": {"policy"},  # crmctl.yaml is read as strictly as a policy
    "cli": {"front"},
    "front": {"policy"},  # root's registrations are read as strictly as a policy
    "policy": set(),
    "store": set(),
    "worktime": {"policy"},
    "security": {"policy", "store"},
    "audit": {"policy", "security", "store"},
    "runs": {"audit", "policy", "security", "store"},
    "approvals": {"audit", "policy", "runs", "security", "store"},
    "use": {"approvals", "audit", "policy", "runs", "security", "store"},
    "cases": {"policy", "runs", "store", "worktime"},
    "notify": {"audit", "policy", "runs", "security", "store"},
    "sheets": {"audit", "policy", "runs", "security", "store", "use"},
    "tiers": {"approvals", "audit", "customers", "orders", "policy", "runs", "security", "store"},
    "owners": {
        "approvals",
        "audit",
        "cases",
        "customers",
        "orders",
        "policy",
        "runs",
        "security",
        "sheets",
        "staff",
        "store",
        "tiers",
        "use",
    },  # fmt: skip
    "customers": {"approvals", "audit", "cases", "policy", "runs", "security", "sheets", "staff", "store", "use"},
    "orders": {"audit", "customers", "policy", "runs", "security", "sheets", "store"},
    "staff": {"audit", "policy", "runs", "security", "sheets", "store"},
    "satisfaction": {"audit", "runs", "security", "store"},
    "complaints": {
        "approvals",
        "audit",
        "cases",
        "customers",
        "notify",
        "policy",
        "runs",
        "satisfaction",
        "security",
        "sheets",
        "staff",
        "store",
        "use",
        "worktime",
    },  # fmt: skip
    # `use` knows how texts are sealed under the key of a run
    "holds": {"audit", "complaints", "customers", "runs", "security", "store", "use"},
    "paper": {"approvals", "audit", "customers", "holds", "policy", "runs", "security", "store", "use"},
    "retention": {
        "approvals",
        "audit",
        "cases",
        "complaints",
        "customers",
        "holds",
        "orders",
        "paper",
        "policy",
        "runs",
        "security",
        "sheets",
        "store",
        "use",
    },
    "backups": {"audit", "customers", "paper", "policy", "retention", "runs", "security", "store"},
    # `doctor` looks into every room that has something to say of a workspace.
    "setup": {
        "audit",
        "backups",
        "complaints",
        "customers",
        "holds",
        "notify",
        "paper",
        "policy",
        "retention",
        "runs",
        "security",
        "sheets",
        "staff",
        "store",
        "use",
        "worktime",
    },
}
# Commands, and what they are made of: a verb that opens a run, and what puts a result into words.
FRONT = {
    "commands", "batch_commands", "absence_commands", "book_commands", "handover_commands",
    "collaborator_commands", "checkpoint_commands", "step_commands", "closing_commands", "list_commands",
    "escalate_commands", "import_commands", "figure_commands", "cancel_commands",
    "export_commands", "prune_commands", "pruning", "bundle_telling", "leaving", "access_commands", "reviewing",
    "keycare", "keyturning", "asking", "outcome", "showing", "telling", "listing", "demo",
    "rewriting", "supervise_commands", "supervised",
}  # fmt: skip
FRONT_ALLOWED = {"cli", "runs", "audit"}
FRONT_ALSO = {
    "policy": {"security", "sheets", "store"},
    "audit": {"approvals", "use"},
    "security": {"use"},  # a copy of the keys is in the register of copies
}  # answers are read from a sheet, permitted and logged


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def room(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def for_types_only(path: Path) -> set[ast.AST]:
    """Nodes under `if TYPE_CHECKING:`: they cost nothing and bind nothing."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found.update(inner for statement in node.body for inner in ast.walk(statement))
    return found


def imports(path: Path, *, types: bool = False) -> Iterator[tuple[str, int]]:
    """Yield (dotted name, line) of what a file imports; `types` includes what only annotations need."""
    skipped = set() if types else for_types_only(path)
    for node in ast.walk(tree(path)):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def rooms_used(path: Path, *, types: bool = False) -> Iterator[tuple[str, int]]:
    for name, line in imports(path, types=types):
        parts = name.split(".")
        if parts[0] == "crmctl" and len(parts) > 1 and not parts[1].startswith("__"):
            yield parts[1], line


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def in_package() -> list[Path]:
    return [path for path in FILES if path.is_relative_to(PACKAGE)]


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_files_are_small() -> None:
    assert [str(path) for path in FILES if len(path.read_text("utf-8").splitlines()) > MAX_FILE] == []


def test_functions_are_short_and_take_few_parameters() -> None:
    found = []
    for path in FILES:
        for function in functions(path):
            size = (function.end_lineno or 0) - function.lineno + 1
            given = function.args
            parameters = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
            is_command = any("command" in ast.unparse(decorator) for decorator in function.decorator_list)
            if size > MAX_FUNCTION:
                found.append(f"{where(path, function.lineno)} {function.name}: {size} lines")
            if parameters > MAX_PARAMETERS and not is_command:
                found.append(f"{where(path, function.lineno)} {function.name}: {parameters} parameters")
    assert found == []


def test_rooms_use_only_the_rooms_they_may() -> None:
    found = []
    for path in in_package():
        own = room(path)
        if own in BASE - ALLOWED.keys() or own in ("__init__", "__main__"):
            allowed = set() if own != "__main__" else {"cli"}
        else:
            front = FRONT_ALLOWED | FRONT_ALSO.get(own, set()) if path.stem in FRONT or own == "setup" else set()
            allowed = ALLOWED[own] | front
        for used, line in rooms_used(path):
            if used != own and used not in BASE | allowed:
                found.append(f"{where(path, line)} {own} uses {used}")
    assert found == []


def test_foundations_know_no_subject_not_even_for_types() -> None:
    subjects = ALLOWED.keys() - FOUNDATIONS - BASE
    found = [
        where(path, line)
        for path in in_package()
        if room(path) in FOUNDATIONS | BASE
        for used, line in rooms_used(path, types=True)
        if used in subjects
    ]
    assert found == []


def test_every_room_is_in_the_table_and_in_the_map() -> None:
    names = {room(path) for path in in_package()} - {"__init__", "__main__"}
    assert names == BASE | ALLOWED.keys()
    mapped = set()
    for line in (crmctl.__doc__ or "").splitlines():
        entry = re.match(r"((?:\w+, )*\w+)  +\S", line)
        mapped.update(entry[1].split(", ") if entry else [])
    assert names - mapped == set()


def test_commands_import_nothing_heavy_at_the_top() -> None:
    light = re.compile(r"crmctl\.(cli|errors|i18n)\b|click\b")
    found = []
    for path in in_package():
        if path.stem != "commands" and not path.stem.endswith("_commands"):
            continue
        skipped = for_types_only(path)
        inner = {node for function in functions(path) for node in ast.walk(function)}
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Import | ast.ImportFrom) or node in skipped or node in inner:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [
                f"{where(path, node.lineno)} {name}"
                for name in names
                if not light.match(name) and name.split(".")[0] not in sys.stdlib_module_names
            ]
    assert found == []


def test_deciders_are_pure() -> None:
    banned = ("sqlalchemy", "crmctl.clock", "crmctl.store", "os", "random", "time", "psycopg", "pysqlite3")
    found = [
        f"{where(path, line)} {name}"
        for path in in_package()
        if path.stem == "decide"
        for name, line in imports(path)
        if any(name == word or name.startswith(word + ".") for word in banned)
    ]
    assert found == []


CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
CLOCKS |= {"time.localtime", "time.gmtime", "time.strftime", "time.ctime"}


def clock_readings(source: ast.AST) -> Iterator[int]:
    for node in ast.walk(source):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in CLOCKS:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (node.lineno for alias in node.names if f"time.{alias.name}" in CLOCKS)


def test_one_file_reads_the_clock() -> None:
    found = [where(path, line) for path in FILES if path.name != "clock.py" for line in clock_readings(tree(path))]
    assert found == []


@pytest.mark.parametrize("source", ["datetime.now(UTC)", "x = datetime.datetime.now", "from time import time"])
def test_clock_readings_are_seen(source: str) -> None:
    assert list(clock_readings(ast.parse(source))) == [1]


SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|WITH|COPY|TRUNCATE|SET)\s|\b(WHERE|FROM|VALUES)\s"
)


def sql_of_strings(source: ast.AST) -> Iterator[int]:
    """Yield lines where SQL is put together by f-string, format, % or + instead of bound parameters.

    What only joins constants of the same file may say so to the linter: `# noqa: S608`.
    """

    def is_sql(node: ast.AST) -> bool:
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SQL.search(node.value))

    for node in ast.walk(source):
        match node:
            case ast.JoinedStr(values=parts):
                made = any(is_sql(part) for part in parts)
            case ast.BinOp(left=left, op=ast.Mod() | ast.Add()):
                made = is_sql(left)
            case ast.Call(func=ast.Attribute(value=value, attr="format")):
                made = is_sql(value)
            case _:
                continue
        if made:
            yield node.lineno


def test_no_sql_is_made_of_strings() -> None:
    found = [
        where(path, line)
        for path in FILES
        for line in sql_of_strings(tree(path))
        if "noqa: S608" not in path.read_text("utf-8").splitlines()[line - 1]
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    ['f"SELECT {x}"', '"DELETE FROM t WHERE a = %s" % x', '"SELECT * FROM " + x', '"UPDATE {} SET".format(x)'],
)
def test_sql_made_of_strings_is_seen(source: str) -> None:
    assert list(sql_of_strings(ast.parse(source))) == [1]


def test_the_folder_of_revisions_is_no_package() -> None:
    """An `__init__.py` there would shadow the alembic library when run from the checkout."""
    assert list((ROOT / "alembic").rglob("__init__.py")) == []
    asked = subprocess.run(
        [sys.executable, "-c", "import alembic; print(alembic.__version__)"], cwd=ROOT, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr


def test_names_say_what_a_file_holds() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "base", "core"}
    assert [str(path) for path in FILES if vague & set(path.stem.split("_"))] == []


HEAVY = {"sqlalchemy", "alembic", "psycopg", "cryptography", "python_calamine", "phonenumbers"}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["customer", "--help"],
        ["customer", "import", "--help"],
        ["policy", "validate", str(ROOT / "policies")],
    ],
    ids=" ".join,
)
def test_start_up_is_light(words: list[str]) -> None:
    """Help and policy checks load no database library, nor anything that costs as much."""
    script = (
        "import sys\n"
        "from crmctl.cli.app import main\n"
        "try:\n"
        f"    code = main({words!r})\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\n"
        "print(code, sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT / "tests")
    assert done.stderr.splitlines()[-1:] in (["0 []"], ["None []"]), done.stderr
