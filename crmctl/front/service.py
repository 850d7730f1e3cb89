"""The service account's side: whoever calls may send anything, so everything is checked here.

- Only workspaces that root registered for this account are opened: a crmctl.yaml of the caller's could name commands.
- The caller is whom sudo names, and the kernel must name the same as the maker of the socket.
- The environment is emptied but for what is listed; the caller's files are used as they were opened, never by name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from crmctl import files
from crmctl.errors import InvalidInput, PermissionMissing
from crmctl.files import Lent
from crmctl.front import BEHIND_FRONT, folder, noting, registry, wire
from crmctl.front.registry import Entry
from crmctl.i18n import _
from crmctl.process import held_back

ENTER = "front.enter"  # the act of calling, in the log when it is refused
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
Carried = tuple[dict[str, Any], int, Callable[[], object]]  # a folder's item, where it goes, whom to tell
_FROM_SUDO = ("SUDO_UID", "SUDO_GID", "SUDO_USER")


@dataclass(frozen=True, slots=True)
class Service:
    """A call that this process carries out as the service account.

    `person`: somebody called through sudo, so no path is opened that is not in `lent`; else cron runs a job.
    """

    workspace: str
    arguments: tuple[str, ...]
    person: bool
    lent: Mapping[tuple[str, int], Lent] = field(default_factory=dict)
    service: ClassVar[bool] = True
    streamed: str = ""  # the parameter whose file has become standard input
    folders: tuple[Carried, ...] = ()

    @contextlib.contextmanager
    def carried(self) -> Iterator[Mapping[tuple[str, int], Lent]]:
        """Yield what the caller lent us, with folders of our own for those it wants; written ones go to the caller."""
        if not self.folders:
            yield self.lent
            return
        room = folder.make_room(Path(self.workspace, "spool"))
        try:
            made = {
                (item["parameter"], item["position"]): files.shown_as(room / str(number), item["name"])
                for number, (item, _descriptor, _tell) in enumerate(self.folders)
            }
            yield {**self.lent, **made}
            for item, descriptor, tell in self.folders:
                place = made[item["parameter"], item["position"]]
                if place.is_dir():
                    with os.fdopen(os.dup(descriptor), "wb") as stream:
                        folder.pack(place, stream)
                    tell()
        finally:
            shutil.rmtree(room, ignore_errors=True)


def enter(mine: Sequence[Entry], arguments: Sequence[str], named: str) -> Service:
    """Return the call this process carries out; `mine` are the workspaces registered for its account.

    Raises PermissionMissing for another workspace or account, or a caller whom sudo does not name.
    """
    if not mine:
        raise _not_ours(mine)
    if "SUDO_UID" in os.environ:
        _cleaned({})
    try:
        return _from_front(mine) if list(arguments) == [BEHIND_FRONT] else _without_front(mine, arguments, named)
    except PermissionMissing as refusal:
        noting.note(mine[0].workspace, ENTER, refusal)
        raise


def _without_front(mine: Sequence[Entry], arguments: Sequence[str], named: str) -> Service:
    entry = registry.find(mine, named)
    if entry is None and not named and len(mine) == 1:
        entry = mine[0]
    if entry is None:
        raise _not_ours(mine)
    return Service(entry.workspace, tuple(arguments), "SUDO_UID" in os.environ)


def _from_front(mine: Sequence[Entry]) -> Service:
    line = _line()
    wire.tell(line, wire.HELLO)
    message, descriptors = _received(line)
    entry = next((entry for entry in mine if entry.workspace == message.get("workspace")), None)
    if entry is None:
        raise _not_ours(mine)
    if os.environ.get("SUDO_UID", "") != str(wire.caller_of(line)):
        raise PermissionMissing(
            _("SUDO_UID is not the uid of the calling program"), hint=_("run it through sudo"), code="SUDO_UID_FORGED"
        )
    arguments, environment, named = _checked(message, len(descriptors))
    _cleaned(environment)
    lent: dict[tuple[str, int], Lent] = {}
    folders: list[Carried] = []
    streamed = ""
    for number, (item, descriptor) in enumerate(zip(named, descriptors[1:], strict=True), start=1):
        _usable(descriptor, item["use"])
        if item["use"] == wire.STREAM and not streamed:
            streamed = item["parameter"]
            os.dup2(descriptor, 0)
            continue
        if item["use"] == wire.FOLDER:
            folders.append((item, descriptor, _teller(line, number)))
            continue
        lent[item["parameter"], item["position"]] = files.lend(descriptor, item["name"], _teller(line, number))
    if not streamed:
        _take_standard_input(descriptors[0])
    _watch(line)
    return Service(entry.workspace, arguments, True, lent, streamed, tuple(folders))


def _line() -> socket.socket:
    """Return the socket that is our standard input. Raises InvalidInput where it is something else."""
    line = None
    with contextlib.suppress(OSError):
        line = socket.socket(fileno=os.dup(0))
    if line is None or (line.family, line.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
        raise InvalidInput(
            _("standard input is not the front's socket"),
            hint=_("people call crmctl itself; sudoers must not log_input this command; see docs/broker.md"),
            code="FRONT_MISSING",
        )
    return line


def _received(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    try:
        return wire.receive(line)
    except wire.Garbled:
        raise _garbled() from None


def _checked(message: Mapping[str, Any], files_sent: int) -> tuple[tuple[str, ...], dict[str, str], list[Any]]:
    """Return arguments, environment and named files of a message that a hostile front may have written."""
    arguments, environment, named = (message.get(key) for key in ("arguments", "environment", "files"))
    well_formed = (
        isinstance(arguments, list)
        and all(isinstance(word, str) and "\0" not in word for word in arguments)
        and BEHIND_FRONT not in arguments
        and isinstance(environment, dict)
        and all(
            name in wire.PASSED_ON and isinstance(value, str) and "\0" not in value
            for name, value in environment.items()
        )
        and isinstance(named, list)
        and files_sent == len(named) + 1
        and all(_well_named(item) for item in named)
    )
    if not well_formed:
        raise _garbled()
    return tuple(arguments or ()), dict(environment or {}), list(named or ())


def _well_named(item: object) -> bool:
    return (
        isinstance(item, dict)
        and set(item) == {"parameter", "position", "name", "use"}
        and all(isinstance(item[key], str) for key in ("parameter", "name"))
        and item["use"] in wire.USES
        and type(item["position"]) is int
        and "\0" not in item["name"]
    )


def _usable(descriptor: int, use: str) -> None:
    """Raise InvalidInput for a file that is none, which could keep us waiting, or is open the wrong way."""
    wanted = os.O_WRONLY if use in (wire.WRITE, wire.FOLDER) else os.O_RDONLY
    way = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    if not stat.S_ISREG(os.fstat(descriptor).st_mode) or way not in (wanted, os.O_RDWR):
        raise _garbled()


def _cleaned(environment: Mapping[str, str]) -> None:
    """Leave nothing of the caller's surroundings: variables, folder, signals that wait or are ignored."""
    kept = {name: os.environ[name] for name in _FROM_SUDO if name in os.environ}
    home = "/"
    with contextlib.suppress(KeyError):
        home = pwd.getpwuid(os.geteuid()).pw_dir
    os.environ.clear()
    os.environ.update(environment, PATH=_PATH, HOME=home, **kept)
    os.chdir("/")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _take_standard_input(descriptor: int) -> None:
    """Make the caller's standard input ours; a terminal is read through our own, which sudo may have made."""
    source = descriptor
    if os.isatty(descriptor):
        with contextlib.suppress(OSError):
            source = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    os.dup2(source, 0)


def _teller(line: socket.socket, number: int) -> Callable[[], object]:
    return lambda: wire.tell(line, wire.written(number))


def _watch(line: socket.socket) -> None:
    """End as by SIGTERM when the front hangs up: its caller stopped it, and may signal nothing of ours."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while line.recv(64):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    with held_back(*signal.Signals):  # they are the main thread's
        threading.Thread(target=wait, daemon=True).start()


def _garbled() -> InvalidInput:
    return InvalidInput(
        _("what the front sent is not understood"),
        hint=_("the same version of crmctl must be on both sides"),
        code="FRONT_GARBLED",
    )


def _not_ours(mine: Sequence[Entry]) -> PermissionMissing:
    return PermissionMissing(
        _("this account works in its own workspaces only: {workspaces}").format(workspaces=registry.accounts(mine)),
        hint=_("root registers workspaces in /etc/crmctl"),
        code="WORKSPACE_NOT_REGISTERED",
    )
