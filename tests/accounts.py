"""Several real accounts for a test: processes under uids of their own, and a stand-in for sudo between them.

sudo gives a process three things that matter here: the service account's uids, SUDO_UID set by nobody but itself, a
reset environment; and it hands on descriptors 0 to 2 alone. The stand-in does the same from root's side: a program
without rights passes its descriptors over a socket, the kernel says whose program it is, and this test process, which
is root, starts the command that sudoers would allow. The uids need no entry in /etc/passwd; no user is created.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import guarded
import postgres

import crmctl
from crmctl import clock
from crmctl.setup.init import Request, init

SERVICE, STEWARD, APPROVER, STRANGER = 61201, 61202, 61203, 61204
CHECKOUT = Path(crmctl.__file__).parents[1]
_CLIENT = """#!{python} -I
import array, json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
socket.send_fds(line, [json.dumps(sys.argv[1:]).encode()], [0, 1, 2])
os.close(0)
sys.exit(int(line.recv(16) or b"1"))
"""
_PEOPLE = """  people:
    li.na:
      uids: [{steward}]
      roles: [steward]
      confidentiality_signed: 2020-01-02
      training_passed: 2020-01-03
    wang.j:
      uids: [{approver}]
      roles: [supervisor]
      confidentiality_signed: 2020-01-02
      training_passed: 2020-01-03
"""

Words = Sequence[str | Path]
Env = Mapping[str, str] | None


class Unavailable(Exception):
    """Several accounts cannot be had here; the text says why."""


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    status: int
    out: str
    err: str


@dataclass
class Machine:
    """A machine with a workspace in broker mode: what its accounts can run on it."""

    folder: Path
    python: Path
    workspace: Path
    database: str  # the URL under which the test itself reads it
    secret: Path | None = None  # the file with the database's password
    sudoers: set[int] = field(default_factory=lambda: {STEWARD, APPROVER, STRANGER})
    started: list[dict[str, Any]] = field(default_factory=list)

    def home(self, uid: int) -> Path:
        """Return the folder that only this account may enter."""
        place = self.folder / f"home-{uid}"
        if not place.exists():
            place.mkdir(mode=0o700)
            os.chown(place, uid, uid)
        return place

    def keep(self, uid: int, name: str, data: bytes, mode: int = 0o600) -> Path:
        """Put a file of an account into its home."""
        path = self.home(uid) / name
        path.write_bytes(data)
        path.chmod(mode)
        os.chown(path, uid, uid)
        return path

    def run(self, uid: int, words: Words, *, stdin: bytes = b"", env: Env = None) -> Done:
        """Run a program as an account, in its home."""
        done = subprocess.run(
            [str(word) for word in words],
            input=stdin,
            capture_output=True,
            cwd=self.home(uid),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.home(uid)), **(env or {})},
            user=uid,
            group=uid,
            extra_groups=[],
            timeout=120,
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def crmctl(self, uid: int, *words: str | Path, stdin: bytes = b"", env: Env = None) -> Done:
        """Run crmctl as an account on the workspace, as a person would type it."""
        return self.run(uid, [*self.program, "-w", self.workspace, *words], stdin=stdin, env=env)

    def as_job(self, job: str, *words: str) -> Done:
        """Run crmctl as cron of the service account would."""
        return self.run(SERVICE, [*self.program, "--job", job, *words])

    @property
    def program(self) -> list[str]:
        """The program's command line."""
        return [str(self.python), "-I", "-m", "crmctl"]

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of the audit log, oldest first."""
        from sqlalchemy import select

        from crmctl.audit.tables import audit_entry
        from crmctl.store.engine import open_engine

        engine = open_engine(self.database)
        with engine.connect() as conn:
            bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars().all()
        engine.dispose()
        return [json.loads(body) for body in bodies]


def missing() -> str:
    """Return why several accounts cannot be had here; empty when they can."""
    if os.geteuid() != 0:
        return "only root can start processes of several accounts"
    if not sys.platform.startswith("linux"):
        return "the stand-in for sudo asks the Linux kernel who calls"
    return ""


@contextlib.contextmanager
def machine(server: postgres.Server | None = None) -> Iterator[Machine]:
    """Yield a machine; its folder is removed and its sudo stopped afterwards. Raises Unavailable with the reason.

    With a server the workspace's database is there: the service account's role opens it, with a password.
    """
    with contextlib.ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="crmctl-accounts-", dir="/tmp"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        python = _installed(folder)
        guard = cleanup.enter_context(guarded.database(server, folder)) if server is not None else None
        workspace = _workspace(folder, guard)
        database = f"sqlite:///{workspace / 'data' / 'crmctl.db'}"
        made = Machine(folder, python, workspace, database)
        if guard is not None:
            made.database, made.secret = guard.ours, guard.secret
        cleanup.enter_context(_sudo(made))
        _register(made)
        yield made


def _installed(folder: Path) -> Path:
    """Return the interpreter of an installation that every account can use and that looks for `folder`/etc."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "venv" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    installed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "elsewhere.py").write_text(f"import crmctl.front\ncrmctl.front.FOLDER = {str(folder / 'etc')!r}\n")
    (packages / "here.pth").write_text("\n".join([*installed, str(CHECKOUT), "import elsewhere", ""]))
    (folder / "venv" / "bin").mkdir()
    python = folder / "venv" / "bin" / "python"
    said = ""
    for base in (Path(sys.executable).resolve(), Path("/usr/local/bin", version), Path("/usr/bin", version)):
        if not base.exists():
            continue
        python.unlink(missing_ok=True)
        python.symlink_to(base)
        (folder / "venv" / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        try:
            asked = subprocess.run(
                [python, "-I", "-c", "import crmctl.front, sqlalchemy, pydantic_core, yaml, cryptography"],
                capture_output=True,
                text=True,
                cwd="/",
                env={},
                user=STEWARD,
                group=STEWARD,
                extra_groups=[],
            )
        except OSError as error:
            said = str(error)
            continue
        if asked.returncode == 0:
            return python
        said = asked.stderr.strip().splitlines()[-1]
    raise Unavailable(f"no {version} that other accounts can run with this checkout: {said}")


def _workspace(folder: Path, guard: guarded.Guarded | None) -> Path:
    """Make a workspace of the service account's, in a folder of root's."""
    place = folder / "srv"
    place.mkdir(mode=0o755)
    request = Request(place / "ws", "en", True, *((guard.url, "", str(guard.secret)) if guard else ("", "")))
    workspace = init(request, clock.now()).folder
    config = workspace / "crmctl.yaml"
    text = config.read_text("utf-8").replace("mode: direct", f"mode: broker\nservice_uid: {SERVICE}")
    config.write_text(text, "utf-8")
    access = workspace / "policies" / "access.yaml"
    head, _people, rest = access.read_text("utf-8").partition("  people:\n")
    _own, roles, rest = rest.partition("  roles:\n")
    access.write_text(head + _PEOPLE.format(steward=STEWARD, approver=APPROVER) + roles + rest, "utf-8")
    for top in (workspace, Path(f"{workspace}.keys"), *([guard.secret] if guard else [])):
        for path in (top, *top.rglob("*")):
            os.chown(path, SERVICE, SERVICE, follow_symlinks=False)
    return workspace


def _register(made: Machine) -> None:
    etc = made.folder / "etc"
    etc.mkdir(mode=0o755)
    sudo = made.folder / "sudo"
    sudo.write_text(_CLIENT.format(python=made.python, address=str(made.folder / "sudo.socket")))
    sudo.chmod(0o755)
    (etc / "crm.yaml").write_text(
        f'workspace: "{made.workspace}"\nservice: "{SERVICE}"\npython: "{made.python}"\nsudo: "{sudo}"\n'
    )
    (etc / "crm.yaml").chmod(0o644)


@contextlib.contextmanager
def _sudo(made: Machine) -> Iterator[None]:
    """Answer calls of the stand-in until the block ends."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(made.folder / "sudo.socket"))
    (made.folder / "sudo.socket").chmod(0o666)
    server.listen()

    def serve() -> None:
        while True:
            try:
                line, _address = server.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(made, line), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


def _answer(made: Machine, line: socket.socket) -> None:
    """Do for one caller what sudo does: check the rule, then run the command under the service account's uids."""
    with line:
        words, descriptors, _flags, _address = socket.recv_fds(line, 1 << 20, 3)
        _pid, uid, gid = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        command = json.loads(words)
        allowed = ["-n", "-u", f"#{SERVICE}", "--", *made.program, "--behind-front"]
        child = None
        if uid in made.sudoers and command == allowed:
            environment = {
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C.UTF-8",
                "HOME": "/",
                "USER": "crmctl",
                "LOGNAME": "crmctl",
                "SUDO_UID": str(uid),
                "SUDO_GID": str(gid),
                "SUDO_USER": f"uid-{uid}",
                "SUDO_COMMAND": " ".join(command[4:]),
            }
            child = subprocess.Popen(
                command[4:],
                stdin=descriptors[0],
                stdout=descriptors[1],
                stderr=descriptors[2],
                env=environment,
                user=SERVICE,
                group=SERVICE,
                extra_groups=[],
            )
            made.started.append({"uid": uid, "words": command})
        for descriptor in descriptors:
            os.close(descriptor)
        status = child.wait() if child is not None else 1
        with contextlib.suppress(OSError):
            line.sendall(str(status if status >= 0 else 128 - status).encode())
