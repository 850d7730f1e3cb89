"""Files sealed to public keys in the age format (age-encryption.org/v1), whose private halves are never kept here.

Streamed in pieces of 64 KiB, each authenticated. Who may open a file says nothing about who wrote it: that is what the
signature under the manifest is for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from crmctl import process
from crmctl.errors import CrmctlError, IntegrityFailed, Interrupted, InvalidInput, KeyMissing
from crmctl.files import open_input
from crmctl.i18n import _
from crmctl.security.keyfiles import read_private

if TYPE_CHECKING:
    from crmctl.workspace import Workspace

SUFFIX = ".age"
_LONGEST = 64 * 1024


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Sink:
    """A stream that counts and hashes what is written to it, and keeps what stopped it: libraries hide that."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash = stream, sha256()
        self.bytes = 0
        self.failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        try:
            self._stream.write(data)
        except BaseException as error:
            self.failure = error
            raise
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand on what is buffered."""
        try:
            self._stream.flush()
        except BaseException as error:
            self.failure = error
            raise

    def hexdigest(self) -> str:
        """Return SHA-256 of what was written, in hex."""
        return self._hash.hexdigest()


def recipients_of(place: Workspace) -> tuple[str, ...]:
    """Return the public keys that backups are sealed to; none only where crmctl.yaml says `backup_unsealed: true`.

    Raises InvalidInput for no recipients, and for one that is none.
    """
    given = place.get("backup_recipients")
    texts = _listed(place.root / given) if isinstance(given, str) and given else given or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _misconfigured(_("a list of public keys, or the name of a file with one a line"))
    for text in texts:
        _recipient(text)
    if not texts and place.get("backup_unsealed") is not True:
        raise InvalidInput(
            _("backups are sealed to public keys, and crmctl.yaml names none"),
            hint=_(
                "make a pair elsewhere (age-keygen) and name its public half: "
                'backup_recipients: ["age1…"]; or say plainly backup_unsealed: true'
            ),
            code="RECIPIENTS_MISSING",
        )
    return tuple(texts)


def seal(reader: Readable, writer: Sink, recipients: Sequence[str]) -> None:
    """Copy `reader` to `writer`, sealed to `recipients`; as it is where there are none. Raises what either raises."""
    if not recipients:
        while data := reader.read(1 << 20):
            writer.write(data)
        return
    age = _age()
    with _told(writer):
        try:
            age.encrypt_io(reader, writer, [_recipient(text) for text in recipients])
        except age.EncryptError as error:
            raise _interrupted() or IntegrityFailed(_("sealing failed"), code="SEALING_FAILED") from error


def unseal(reader: Readable, writer: Sink, identities: Sequence[Any], where: str) -> None:
    """Copy what is sealed in `reader` to `writer`, opened with one of `identities` (none: it is not sealed).

    Raises KeyMissing for another's key, IntegrityFailed for bytes that were altered or cut off.
    """
    if not identities:
        seal(reader, writer, ())
        return
    age = _age()
    with _told(writer):
        try:
            age.decrypt_io(reader, writer, list(identities))
        except age.DecryptError:
            raise KeyMissing(
                _("{where}: is not sealed to this private key").format(where=where),
                hint=_("the manifest names the public keys it is sealed to: give the private half of one"),
                code="IDENTITY_WRONG",
            ) from None
        except OSError as error:
            raise _interrupted() or IntegrityFailed(
                _("{where}: what is sealed in it was altered or cut off").format(where=where),
                hint=_("take another set"),
                code="PART_BROKEN",
            ) from error


def identities_in(path: Path) -> list[Any]:
    """Return the private keys in an owner-only file, as age-keygen or ssh-keygen write it; used once, kept nowhere.

    Raises KeyMissing for a file that is open to others or holds none.
    """
    text = read_private(path, _LONGEST)
    age = _age()
    if text.startswith(b"-----BEGIN "):
        with contextlib.suppress(age.IdentityError):
            return [age.ssh.Identity.from_buffer(text)]
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines()]
    with contextlib.suppress(age.IdentityError):
        found = [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        if found:
            return found
    raise KeyMissing(
        _("{path}: holds no private key of age").format(path=path),
        hint=_("give the file that age-keygen wrote"),
        code="IDENTITY_INVALID",
    )


@contextlib.contextmanager
def _told(writer: Sink) -> Iterator[None]:
    """Raise what stopped the writer in place of what the library makes of it."""
    try:
        yield
    except CrmctlError:
        if writer.failure is not None:
            raise writer.failure from None
        raise


def _interrupted() -> Interrupted | None:
    """Return the signal that came, which the library reports as a failure of its own."""
    number = process.signalled()
    return None if number is None else Interrupted(number)


def _listed(path: Path) -> list[str]:
    with open_input(path) as stream:
        lines = stream.read(_LONGEST).decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _recipient(text: str) -> Any:
    age = _age()
    kind = age.ssh.Recipient if text.startswith("ssh-") else age.x25519.Recipient
    try:
        return kind.from_str(text)
    except age.RecipientError:
        hint = _("public keys begin with age1 or ssh-; the private half belongs on no machine of this system")
        raise _misconfigured(hint) from None


def _misconfigured(hint: str) -> InvalidInput:
    return InvalidInput(_("backup_recipients: not public keys of age"), hint=hint, code="RECIPIENT_INVALID")


def _age() -> Any:
    return import_module("pyrage")
