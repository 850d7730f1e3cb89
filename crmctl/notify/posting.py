"""Post JSON to the address of a robot: https only, no redirect, no proxy, never longer than it may take."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from crmctl.notify.failures import NotTaken, numbered

MOST_ANSWER = 64 << 10


def post(url: str, body: Mapping[str, Any], seconds: float) -> None:
    """Post `body` and return when the robot says that it has it: status 200, `errcode` 0.

    The whole call, looking the name up included, takes so many seconds at most: it runs beside us and is left alone
    then. Raises NotTaken. Nothing of the environment is asked for a proxy: what is private goes where it is sent.
    """
    address = checked(url)
    sent = json.dumps(body, ensure_ascii=False).encode()
    _Beside(lambda call: _exchange(call, address, sent, seconds)).within(seconds)


def checked(url: str) -> SplitResult:
    """Return the parts of an address that may be posted to: https, or http on this machine. Raises NotTaken."""
    try:
        address = urlsplit(url)
        host, _port = address.hostname or "", address.port
    except ValueError:
        raise NotTaken("WEBHOOK_INVALID", tried=False) from None
    plain = all("!" <= sign <= "~" for sign in url) and "@" not in address.netloc and bool(host)
    if not plain or not (address.scheme == "https" or address.scheme == "http" and _here(host)):
        raise NotTaken("WEBHOOK_INVALID", tried=False)
    return address


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Beside:
    """A call in a thread of its own: name look-ups and slow answers know no limit of time."""

    def __init__(self, work: Callable[[_Beside], None]) -> None:
        self.connection: http.client.HTTPConnection | None = None
        self.failure: NotTaken | None = NotTaken("UNREACHABLE")
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def _run(self, work: Callable[[_Beside], None]) -> None:
        try:
            work(self)
            self.failure = None
        except NotTaken as failure:
            self.failure = failure
        except Exception as error:  # whatever the libraries raise: it is a channel that failed, and no more
            self.failure = NotTaken(_code(error))
        finally:
            if self.connection is not None:
                self.connection.close()

    def within(self, seconds: float) -> None:
        """Wait for the call to end and raise what it raised; raise NotTaken (TIMEOUT) where it does not end."""
        self._thread.start()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._hang_up()
            raise NotTaken("TIMEOUT")
        if self.failure is not None:
            raise self.failure

    def _hang_up(self) -> None:
        """Shut the connection down, so that the thread ends soon."""
        open_ = self.connection and self.connection.sock
        if open_:
            try:
                open_.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


def _exchange(call: _Beside, address: SplitResult, body: bytes, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    host = address.hostname or ""
    if address.scheme == "https":
        context = ssl.create_default_context()
        call.connection = http.client.HTTPSConnection(host, address.port, timeout=seconds, context=context)
    else:
        call.connection = http.client.HTTPConnection(host, address.port, timeout=seconds)
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    headers = {"Content-Type": "application/json; charset=utf-8", "Connection": "close"}
    call.connection.request("POST", target, body, headers)
    answer = call.connection.getresponse()
    if 300 <= answer.status < 400:
        raise NotTaken("REDIRECT")
    if answer.status != http.HTTPStatus.OK:
        raise NotTaken(numbered("HTTP", answer.status))
    _accepted(_read(answer, deadline))


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """Return the answer's body; one that trickles in for too long, or is too large, is none of a robot's."""
    found = b""
    while part := answer.read1(MOST_ANSWER):
        found += part
        if len(found) > MOST_ANSWER:
            raise NotTaken("ANSWER_UNREADABLE")
        if time.monotonic() > deadline:
            raise NotTaken("TIMEOUT")
    return found


def _accepted(body: bytes) -> None:
    try:
        told = json.loads(body)
        code = told["errcode"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotTaken("ANSWER_UNREADABLE") from None
    if type(code) is not int:
        raise NotTaken("ANSWER_UNREADABLE")
    if code:
        raise NotTaken(numbered("ERRCODE", code))


def _code(error: Exception) -> str:
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (TimeoutError, "TIMEOUT"),
        (ConnectionRefusedError, "REFUSED"),
        (socket.gaierror, "HOST_UNKNOWN"),
        (ssl.SSLError, "TLS"),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), "UNREACHABLE")
