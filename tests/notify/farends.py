"""Workspaces with channels, and the far ends of channels: a real server for the robots, programs, folders."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import workspaces
from desks import ADMIN, Desk
from desks import _desks as _desks
from desks import desk as desk
from sqlalchemy import select

from crmctl.notify.queue import Notice, queue
from crmctl.notify.tables import notification
from crmctl.runs.run import Run
from crmctl.store.engine import write

CANARY = "zKq9canary7Xw"  # stands in every secret and every webhook
HEAD = "kind: notify\nschema: 1\nversion: 2\nowner: information post\nsettings:\n"


@dataclass
class Robot:
    """A server that answers as a group's robot does, or as it is told to."""

    url: str
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    answer: bytes = b'{"errcode":0,"errmsg":"ok"}'
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    trickles: bytes = b""  # what it says again and again while it hangs
    freed: threading.Event = field(default_factory=threading.Event)

    @property
    def texts(self) -> list[str]:
        """What it was told, as a person in the group reads it."""
        return [body["text"]["content"] for body in self.bodies]


def _handler(robot: Robot) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            robot.paths.append(self.path)
            robot.bodies.append(json.loads(body))
            if robot.hangs:
                self._trickle()
                self.close_connection = True
                return
            self.send_response(robot.status)
            for name, value in robot.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(robot.answer)))
            self.end_headers()
            self.wfile.write(robot.answer)

        def _trickle(self) -> None:
            """Say nothing, or a word of an answer now and then, until the test is over."""
            with contextlib.suppress(OSError):  # nobody listens any more
                while not robot.freed.wait(0.2):
                    self.wfile.write(robot.trickles)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def robot() -> Iterator[Robot]:
    """A server on this machine."""
    found = Robot("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}/robot/send?key={CANARY}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield found
    found.freed.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Outbox:
    """A workspace with channels."""

    desk: Desk

    @property
    def folder(self) -> Path:
        """The workspace."""
        return self.desk.folder

    def channels(self, *channels: str, **settings: str) -> None:
        """Write notify.yaml with these channels (YAML in braces)."""
        lines = [f"  {name}: {value}\n" for name, value in settings.items()]
        lines += ["  channels:\n", *(f"    - {channel}\n" for channel in channels)]
        (self.folder / "policies" / "notify.yaml").write_text(HEAD + "".join(lines), "utf-8")

    def private(self, name: str, text: str, mode: int = 0o600) -> None:
        """Write an owner-only file of a channel."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        path.chmod(mode)

    def robot(self, by: str, url: str, code: str = "group", more: str = "") -> str:
        """Write the webhook's file and return its channel."""
        self.private(f"{code}.url", url + "\n")
        return (
            f"{{code: {code}, labels: {{zh: 群 {code}, en: Group {code}}}, by: {by}, webhook_file: {code}.url,"
            f" retry_after: 1 hour, timeout: 5 seconds{more}}}"
        )

    def queued(self, *notices: Notice) -> list[int]:
        """Put notices into the outbox by a run of the administrator; return their numbers."""
        with self.run() as run, write(run.engine) as conn:
            assert queue(conn, run, notices) == len(notices)
        return [row["notification_id"] for row in self.rows()][-len(notices) :]

    def run(self, command: str = "owner assign") -> Any:
        """Return a begun run of the administrator, for a with block."""
        return _as_admin(self.folder, command)

    def rows(self) -> list[Any]:
        """Return every notice, oldest first."""
        return self.desk.rows(select(notification).order_by(notification.c.notification_id))

    def states(self) -> list[tuple[str, int, str | None]]:
        """Return state, attempts and failure of every notice."""
        return [(row["state"], row["attempts"], row["failure"]) for row in self.rows()]

    def json(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Run a command as the administrator; return its document, or its failure."""
        return self.desk.json(ADMIN, *words, status=status)


class _as_admin:  # noqa: N801 - reads as a function
    def __init__(self, folder: Path, command: str) -> None:
        self._patch = pytest.MonkeyPatch()
        self._inner = workspaces.running(folder, command)

    def __enter__(self) -> Run:
        self._patch.setattr("os.getresuid", lambda: (ADMIN, ADMIN, ADMIN))
        return self._inner.__enter__()

    def __exit__(self, *failure: Any) -> None:
        try:
            self._inner.__exit__(*failure)
        finally:
            self._patch.undo()


@pytest.fixture
def outbox(desk: Desk) -> Outbox:
    """The workspace, on both databases in turn."""
    return Outbox(desk)


@pytest.fixture
def notice() -> Callable[..., Notice]:
    """Return what makes a notice about a complaint."""

    def made(number: int = 7, channel: str = "group", **more: Any) -> Notice:
        given = {"event": "warn", "text_code": "notify.about", **more}
        return Notice(channel, f"complaint:CMP-20261121-{number:04}", **given)

    return made
