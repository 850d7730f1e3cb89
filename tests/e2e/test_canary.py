"""Planted personal values are nowhere but in the file they came from and where a person asked for them in clear.

Looked through: every file of workspace and key store, every page of either database, logs, bug reports, temporary files
while they exist, what every command says, and the command lines and environments of child processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oracle
import pytest
import xlsxwriter
from commands import PATIENCE, crmctl, ended, members, started, strike
from stdnum.cn import ric

from crmctl.customers.intake import WORTH_A_PROCESS

HEADER = (
    "customer_type", "company", "name", "mobile", "email", "address", "notes", "id card", "position", "wechat", "phone",
)  # fmt: skip
FILE = "金丝雀文件名赵钱孙.csv"
ENOUGH = WORTH_A_PROCESS + 20


def id_card(number: int) -> str:
    body = f"11010119800312{number:03d}"
    return body + ric.calc_check_digit(body + "0")


def row(number: int) -> list[str]:
    """Return a person or a company's contact; every personal cell is a canary."""
    company = f"示例企业{number:05d}有限公司" if number % 3 else ""
    return [
        "enterprise" if company else "individual",
        company,
        f"金丝雀{number:05d}号",
        f"139{87000000 + number}",
        f"kanarie.{number:05d}@vogel.example.com",
        f"金丝雀胡同{number:05d}号院",
        f"笼中密语-{number:05d}-caged",
        id_card(number % 1000) if number < 900 else "",
        f"饲鸟员{number:05d}",
        f"wxkanarie{number:05d}",
        f"010-6{3000000 + number}",
    ]


def broken(number: int) -> list[str]:
    """Return a row that is rejected: into quarantine with all its canaries."""
    cells = row(number)
    cells[3] = f"1398700{number:05d}99"
    return cells


def rows() -> list[list[str]]:
    return [broken(number) if number % 50 == 7 else row(number) for number in range(ENOUGH)]


def needles(cells: list[str]) -> set[bytes]:
    """Return the forms in which a row's personal cells could lie about."""
    found: set[bytes] = set()
    for text in {cells[2], cells[3], cells[4], cells[5], cells[6], cells[7], cells[8], cells[9], cells[10]} - {""}:
        forms = {text, text.replace("-", "") if text.startswith("010-") else text}
        for form in forms:
            found |= {form.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030")}
            found.add(json.dumps(form)[1:-1].encode())
            found.add(form.encode().hex().encode())
    return found


SAMPLED = [row(70_000), broken(70_001), row(0), row(1), row(2), broken(7), broken(57), row(800), row(ENOUGH - 1)]
NEEDLES = set().union(*(needles(cells) for cells in SAMPLED)) | {
    form for prefix in ("金丝雀", "笼中密语", "饲鸟员") for form in needles(["", "", prefix, *[""] * 8])
} | {b"kanarie", b"-caged"}  # fmt: skip
OF_THE_FILE = {name for text in (FILE, FILE.removesuffix(".csv")) for name in needles(["", "", text, *[""] * 8])}


def hits(data: bytes, wanted: set[bytes] = NEEDLES) -> list[bytes]:
    """Return the canaries in `data`."""
    return [needle for needle in wanted if needle in data]


def sighted(place: Path, wanted: set[bytes] = NEEDLES) -> dict[str, list[bytes]]:
    """Return the files under `place` that hold canaries."""
    found = {}
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink():
            seen = hits(str(path.name).encode(), wanted) + hits(path.read_bytes(), wanted)
            if seen:
                found[str(path)] = seen[:3]
    return found


@contextmanager
def watched(process: subprocess.Popen[bytes], temporary: Path, seen: list[bytes]) -> Iterator[None]:
    """Collect what other users of the machine could see of a command's children, and its temporary files."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for pid in members(process.pid):
                for name in ("cmdline", "environ") if pid != process.pid else ("environ",):
                    _read(Path(f"/proc/{pid}/{name}"), seen)
            for path in temporary.rglob("*"):
                _read(path, seen)
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _read(path: Path, seen: list[bytes]) -> None:
    try:
        data = path.read_bytes()
    except OSError:
        return
    if hits(data) and data not in seen:
        seen.append(data)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source" / FILE
    path.parent.mkdir()
    path.write_text("\r\n".join(",".join(cells) for cells in [list(HEADER), *rows()]) + "\r\n", "utf-8")
    return path


def test_no_planted_value_is_anywhere(
    make: Any, kind: str, source: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert hits(source.read_bytes()), "the scanner must find what is there"
    folder, temporary, seen = make(kind), tmp_path / "temporary", list[bytes]()
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    loud = ("-v", "-v", "--log-format", "json")
    said: list[bytes] = []

    def say(*words: object, status: int = 0, stdin: bytes | None = None) -> None:
        command = started(folder, *words, *loud, stdin=stdin, env=environment)
        with command as process, watched(process, temporary, seen):
            done = ended(process)
        assert done.status == status, done.err
        said.extend((done.out, done.err))

    point = "SIGKILL:after:2:crmctl.customers.apply:apply"
    killed = strike(point, folder, "customer", "import", source, "--chunk", 500, *loud, env=environment)
    said += [killed.out, killed.err]
    say("batch", "resume", 1, status=3)
    say("customer", "import", "-", "--mode", "upsert", status=3, stdin=source.read_bytes())
    say("customer", "import", workbook(tmp_path / "source" / "book.xlsx"), "--mode", "upsert", status=3)
    say("customer", "import", source, "--dry-run", status=3)
    say("customer", "list", "-o", "json")
    say("customer", "list", "--limit", 1000, "-o", "csv")
    say("customer", "show", 1)
    say("customer", "show", 2, "-o", "json")
    say("batch", "rejects", 1, "-o", "json")
    say("batch", "rejects", 2)
    say("customer", "find", "--mobile", "-", stdin=row(0)[3].encode())
    say("customer", "find", "--email", "-", stdin=row(1)[4].encode())
    say("customer", "find", "--name", "-", stdin=row(2)[2].encode())
    say("customer", "history", 1)
    say("audit", "list", "--limit", 100, "-o", "json")
    say("audit", "checkpoint")  # the workspace is as old as its fixture: unsigned that long, doctor finds it wrong
    say("audit", "export")
    say("audit", "export", "--format", "csv")
    say("doctor")
    say("keys", "status")
    say("audit", "verify", "--changes", "--rows", status=14)
    failures(say, tmp_path)
    bug = f"BUG:before:1:{BUGS[kind]}"
    done = strike(bug, folder, "customer", "import", other(tmp_path), *loud, env=environment)
    assert done.status == 70, done.err
    assert list((folder / "reports").iterdir())
    said += [done.out, done.err]

    assert list(oracle.states(folder).values()) == ["done", "done", "done", "interrupted"]
    assert [hits(text) for text in said if hits(text)] == []
    assert [hits(data) for data in seen] == []
    places = [folder, Path(f"{folder}.keys"), temporary]
    if kind == "postgresql":
        server = request.getfixturevalue("postgres_server")
        with server.connect() as raw:
            raw.execute("CHECKPOINT")
        places.append(server.socket_folder)
    for place in places:
        assert sighted(place) == {}
        assert sighted(place, OF_THE_FILE) == {}

    clear = tmp_path / "asked for.csv"
    assert crmctl(folder, "batch", "rejects", 1, "--export", clear).status == 0
    assert hits(clear.read_bytes()), "the scanner must find what was asked for in clear"
    disclosed(folder, tmp_path, loud)
    for place in places:
        assert sighted(place) == {}


def disclosed(folder: Path, tmp_path: Path, loud: tuple[str, ...]) -> None:
    """Reveal and export: values are where they were asked for, and neither in the log nor on standard error."""
    words = ("customer", "show", 1, "--reveal", "name,mobile,email,address,notes", "--purpose", "contact")
    shown = crmctl(folder, *words, *loud)
    assert shown.status == 0, shown.err
    assert hits(shown.out), "the scanner must find what was revealed"
    said = [shown.err, crmctl(folder, *words[:-1], "advertising", *loud).err]
    fields = ("--fields", "name,mobile,email,address,notes,phone,position", "--recipient", "self")
    few = ("--status", "draft", "--company", "示例企业0000")
    for form in ("csv", "xlsx", "ndjson", "json"):
        out = tmp_path / f"exported.{form}"
        words = ("customer", "export", *fields, "--purpose", "contact", *few, "-o", form, "--out", out)
        done = crmctl(folder, *words, *loud)
        assert done.status == 0, done.err
        assert form == "xlsx" or hits(out.read_bytes()), "the scanner must find what was exported"
        said += [done.out, done.err]
    masked = tmp_path / "masked.csv"
    done = crmctl(folder, "customer", "export", *fields, "--purpose", "analysis", *few, "--out", masked, *loud)
    assert (done.status, hits(masked.read_bytes())) == (0, []), done.err
    why = ("--manner", "phone", "--responsible", "1001", "--why", row(2)[6])
    for words in (
        ("use", "request", *fields, "--purpose", "contact", *why, *few),
        ("use", "list", "--records"),
        ("use", "record", "R-1", "--result", "done", "--note", row(2)[2]),
        ("use", "copies", "--check"),
        ("audit", "list", "--limit", 100, "-o", "json"),
    ):
        done = crmctl(folder, *words, *loud)
        assert done.status == 0, done.err
        said += [done.out, done.err]
    assert [hits(text) for text in said if hits(text)] == []


BUGS = {"sqlite": "crmctl.customers.build:pad", "postgresql": "crmctl.customers.packing:Packer.pack"}


def failures(say: Any, tmp_path: Path) -> None:
    """Provoke what goes wrong in daily work, with canaries where values are."""
    torn = tmp_path / "source" / "torn.csv"
    torn.write_text(",".join(HEADER) + '\r\n"' + ",".join(row(1)) + "\r\n", "utf-8")
    say("customer", "import", torn, status=4)
    header = tmp_path / "source" / "no header.csv"
    header.write_text("\r\n".join(",".join(row(number)) for number in range(5)), "utf-8")
    say("customer", "import", header, status=4)
    say("customer", "find", "--mobile", "-", status=4, stdin=broken(7)[2].encode())
    say("customer", "show", 999_999, status=1)
    say("batch", "resume", 1, status=1)


def other(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "others.csv"
    cells = [list(HEADER), row(70_000), *(broken(number) for number in range(70_001, 70_020))]
    path.write_text("\r\n".join(map(",".join, cells)), "utf-8")
    return path


def workbook(path: Path) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    for number, cells in enumerate([list(HEADER), *rows()[:60]]):
        for column, text in enumerate(cells):
            sheet.write_string(number, column, text)
    book.close()
    return path


def test_children_have_no_value_on_their_command_line(make: Any, source: Path) -> None:
    """The control of the above: children there are, and their command lines were seen."""
    folder, lines = make("sqlite"), set[bytes]()
    with started(folder, "customer", "import", source, "--chunk", 100) as process:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            for pid in members(process.pid):
                if pid != process.pid:
                    lines.update(filter(None, [_bytes(Path(f"/proc/{pid}/cmdline"))]))
            time.sleep(0.005)
        assert ended(process).status == 3
    assert any(b"spawn_main" in line for line in lines)
    assert [line for line in lines if hits(line) or hits(line, OF_THE_FILE)] == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


# Complaints ----------------------------------------------------------------------------------------------------

PHOTO = "金丝雀笼照片孙李.txt"
TOLD = {
    name: f"金丝雀投诉-{name}-caged-鸣叫"
    for name in ("matter", "demand", "nature", "said", "found", "measures", "money", "asked", "answer", "why", "note")
} | {"complainant": "金丝雀甲乙丙", "contact": "13987654321", "content": "金丝雀文件内容-caged"}


BY = ("--feedback-by", "2099-01-01T10:00")  # where the company has not decided a limit yet


def forms(text: str) -> set[bytes]:
    """Return the forms in which a text could lie about."""
    return needles(["", "", text, *[""] * 8])


OF_COMPLAINTS = set().union(*map(forms, [*TOLD.values(), PHOTO.removesuffix(".txt"), "金丝雀"])) | {b"-caged"}


def worked(folder: Path, said: dict[str, Path], say: Any) -> str:
    """Work on complaints with canaries wherever something personal is typed; return the number of one that is open."""

    def at(name: str) -> str:
        return f"@{said[name]}"

    first = ("--complainant", at("complainant"), "--contact", at("contact"), "--matter", at("matter"), *BY)
    more = (*first, "--demand", at("demand"), "--nature", at("nature"), "--channel", "phone", "--category", "quality")
    say("complaint", "open", 1, *more, "-o", "json")
    number = str(crmctl(folder, "complaint", "list", "-o", "json").document["complaints"][0]["number"])
    say("complaint", "open", "--unidentified", *more[:10], "--channel", "phone", "--category", "attitude")
    say("complaint", "open", 1, *first, "--channel", "phone", "--category", "quality", status=4)
    say("complaint", "respond", number, "--text", at("said"))
    verified = ("--department", "客服部", "--cause", "product")
    say("complaint", "verify", number, *verified, "--text", at("found"))
    plan = ("--measures", at("measures"), "--compensation", at("money"), "--due", "2099-01-01")
    say("complaint", "propose", number, *plan)
    say("complaint", "agree", number, "--text", "-", stdin=TOLD["answer"].encode())
    say("complaint", "handoff", number, "--department", "安装部", "--text", at("asked"))
    say("complaint", "answer", number, "--department", "安装部", "--text", at("answer"))
    say("complaint", "attach", number, said["content"], "--text", at("note"))
    say("complaint", "close", number, "--text", at("why"), status=1)
    say(
        "complaint",
        "rectify",
        number,
        "--text",
        at("said"),
        "--at",
        "2000-01-01T10:00",
        "--late-reason",
        at("why"),
        status=4,
    )
    return number


def test_no_text_of_a_complaint_is_anywhere(
    make: Any, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """CMP-02, CMP-12: what a complainant said, what was found and done, and files are nowhere but sealed."""
    folder, temporary, heard, seen = make(kind), tmp_path / "temporary", list[bytes](), list[bytes]()
    source = tmp_path / "source"
    for place in (temporary, source):
        place.mkdir()
    (source / "one.csv").write_text("customer_type,company\nenterprise,示例企业有限公司\n", "utf-8")
    said = {name: source / (PHOTO if name == "content" else f"{name}.txt") for name in TOLD}
    for name, path in said.items():
        path.write_text(TOLD[name], "utf-8")
    assert sighted(source, OF_COMPLAINTS).keys() == {str(path) for path in said.values()}, "the scanner must find them"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    loud = ("-v", "-v", "--log-format", "json")

    def say(*words: object, status: int = 0, stdin: bytes | None = None) -> None:
        command = started(folder, *words, *loud, stdin=stdin, env=environment)
        with command as process, watched(process, temporary, seen):
            done = ended(process)
        assert done.status == status, (words, done.err)
        heard.extend((done.out, done.err))

    say("customer", "import", source / "one.csv")
    number = worked(folder, said, say)
    for words in (
        ("complaint", "list", "-o", "json"), ("complaint", "show", number), ("complaint", "statistics", "-o", "json"),
        ("complaint", "escalate"), ("audit", "list", "--limit", 200, "-o", "json"), ("audit", "checkpoint"),
        ("audit", "export"), ("doctor",),
    ):  # fmt: skip
        say(*words)
    say("audit", "verify", "--changes", "--rows", status=14)
    given = [f"--{name}=@{said[name]}" for name in ("complainant", "contact", "matter", "demand")]
    opening = ("complaint", "open", 1, *given, *BY, "--channel", "phone", "--category", "quality", *loud)
    for point, status in (("BUG:before:1:crmctl.complaints.writing:write", 70), (KILLED, -9)):
        done = strike(point, folder, *opening, env=environment)
        assert done.status == status, done.err
        heard += [done.out, done.err]
    assert list((folder / "reports").iterdir())

    assert [hits(text, OF_COMPLAINTS) for text in heard if hits(text, OF_COMPLAINTS)] == []
    assert [hits(data, OF_COMPLAINTS) for data in seen if hits(data, OF_COMPLAINTS)] == []
    places = [folder, Path(f"{folder}.keys"), temporary]
    if kind == "postgresql":
        server = request.getfixturevalue("postgres_server")
        with server.connect() as raw:
            raw.execute("CHECKPOINT")
        places.append(server.socket_folder)
    for place in places:
        assert sighted(place, OF_COMPLAINTS) == {}

    shown = crmctl(folder, "complaint", "show", number, "--reveal", *loud)
    assert TOLD["matter"].encode() in shown.out and TOLD["answer"].encode() in shown.out, shown.err
    back = tmp_path / "back.txt"
    filed = crmctl(folder, "complaint", "file", number, 1, "--out", back, *loud)
    assert back.read_text("utf-8") == TOLD["content"], filed.err
    assert [text for text in (shown.err, filed.out, filed.err) if hits(text, OF_COMPLAINTS)] == []
    for place in places:
        assert sighted(place, OF_COMPLAINTS) == {}


KILLED = "SIGKILL:after:1:crmctl.complaints.writing:write"
