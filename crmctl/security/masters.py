"""Where a master key comes from: an owner-only file, a command (HSM, pass, KMS), or a systemd credential (design §6).

Never an option value (process lists show it), never an environment variable outside tests. `{epoch}` in a path, an
argument or a name stands for the epoch in four digits.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crmctl.errors import InvalidInput, KeyMissing
from crmctl.files import atomic_output, storage_failure, sync_folder
from crmctl.i18n import _
from crmctl.security.keyfiles import read_private
from crmctl.security.sealing import KEY_BYTES

COMMAND_SECONDS = 5
ENVIRONMENT_FOR_TESTS = "CRMCTL_TESTING"
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class MasterSource:
    """One configured provider: `file` (path), `command` (argv), `systemd` (name) or, in tests, `env` (name)."""

    provider: str
    path: str = ""
    argv: tuple[str, ...] = ()
    name: str = ""

    def file(self, epoch: int) -> Path:
        """Return the file that holds the key of an epoch (provider `file`)."""
        return Path(self.path.replace("{epoch}", f"{epoch:04d}"))


def in_folder(folder: Path) -> MasterSource:
    """Return the provider of a key store that keeps its master keys beside it."""
    return MasterSource("file", path=str(folder / "master-{epoch}.key"))


def source_from(document: Mapping[str, Any]) -> MasterSource:
    """Return the provider that crmctl.yaml describes. Raises InvalidInput when it describes none."""
    wanted = {"file": "path", "command": "argv", "systemd": "name", "env": "name"}
    provider = document.get("provider")
    if provider not in wanted or set(document) != {"provider", wanted[str(provider)]}:
        raise _misdescribed(_("write {example}").format(example="{provider: file, path: /…/master-{epoch}.key}"))
    value = document[wanted[provider]]
    if provider == "command":
        if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
            raise _misdescribed(_("argv is a list of words; no shell is involved"))
        if not Path(value[0]).is_absolute():
            raise _misdescribed(_("name the command by its full path"))
        return MasterSource("command", argv=tuple(value))
    if not isinstance(value, str) or not value:
        raise _misdescribed(_("{name} is a text").format(name=wanted[provider]))
    if provider == "env" and os.environ.get(ENVIRONMENT_FOR_TESTS) != "1":
        raise _misdescribed(_("environment variables are inherited by every child: use file, command or systemd"))
    if provider == "systemd" and "/" in value:
        raise _misdescribed(_("give the credential's name, not a path"))
    return MasterSource(provider, path=value) if provider == "file" else MasterSource(provider, name=value)


def _misdescribed(hint: str) -> InvalidInput:
    return InvalidInput(_("master_key: not a valid provider"), hint=hint, code="MASTER_CONFIG_INVALID")


def read(source: MasterSource, epoch: int) -> bytes:
    """Return the 32 bytes of the master key of `epoch`. Raises KeyMissing saying what stands in the way."""
    name = source.name.replace("{epoch}", f"{epoch:04d}")
    if source.provider == "file":
        path = source.file(epoch)
        return _decode(read_private(path, _LONGEST), str(path))
    if source.provider == "command":
        return _decode(_run(source, epoch), source.argv[0])
    if source.provider == "systemd":
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise _missing(_("systemd gave no credentials"), _("start crmctl from a unit with LoadCredential="))
        return _decode(read_private(Path(folder) / name, _LONGEST, owner_checked=False), name)
    value = os.environ.get(name) if os.environ.get(ENVIRONMENT_FOR_TESTS) == "1" else None
    if value is None:
        raise _missing(_("{name} holds no master key").format(name=name), "")
    return _decode(value.encode(), name)


def make(source: MasterSource, epoch: int) -> bytes:
    """Return the master key for a new store: its provider's, where there is one, else a fresh random file (0400)."""
    if source.provider != "file" or source.file(epoch).exists():
        return read(source, epoch)
    key = os.urandom(KEY_BYTES)
    write(source.file(epoch), key)
    return key


def next_key(source: MasterSource, epoch: int) -> bytes:
    """Return the key of a new epoch, as it is read back: `file` makes one, the other providers must have it already.

    Raises InvalidInput for a provider that gives all epochs the same key, KeyMissing when it has none for this one.
    """
    require_numbered(source)
    try:
        key = make(source, epoch)
    except KeyMissing as error:
        if source.provider == "file":
            raise
        raise KeyMissing(
            _("the provider gives no master key of epoch {epoch}: {reason}").format(epoch=epoch, reason=error.message),
            hint=_("make it there first (32 random bytes in base64), then rotate again; nothing was changed"),
            code="MASTER_MISSING",
        ) from None
    if read(source, epoch) != key:
        raise KeyMissing(
            _("the provider gives another master key of epoch {epoch} each time").format(epoch=epoch),
            hint=_("it must keep the key; nothing was changed"),
            code="MASTER_INVALID",
        )
    return key


def require_numbered(source: MasterSource) -> None:
    """Raise InvalidInput for a provider that gives all epochs the same key."""
    if not any("{epoch}" in text for text in (source.path, source.name, *source.argv)):
        raise InvalidInput(
            _("master_key: does not say where the key of each epoch is: {what} is the same for all").format(
                what=source.path or source.name or source.argv[0]
            ),
            hint=_("write {epoch} where the number of the epoch belongs, as in {example}").format(
                epoch="{epoch}", example="master-{epoch}.key"
            ),
            code="MASTER_NOT_NUMBERED",
        )


def destroy(source: MasterSource, epoch: int) -> Path | None:
    """Overwrite and remove the file of an epoch's key; return its path, None where the provider keeps no file here.

    Repeating it is no error. Raises StorageFailed when the disk refuses.
    """
    if source.provider != "file":
        return None
    path = source.file(epoch)
    try:
        if path.exists():
            path.chmod(0o600)
            with path.open("r+b") as stream:  # what the disk keeps besides is out of reach; this much is not
                stream.write(b"\0" * path.stat().st_size)
                stream.flush()
                os.fsync(stream.fileno())
            path.unlink()
            sync_folder(path.parent)
    except OSError as error:
        raise storage_failure(path, error) from error
    return path


def write(path: Path, key: bytes) -> None:
    """Write a master key as base64, readable by its owner alone. Raises Refused when the file exists."""
    with atomic_output(path, mode=0o400) as stream:
        stream.write(base64.b64encode(key) + b"\n")


def _run(source: MasterSource, epoch: int) -> bytes:
    import subprocess

    argv = [word.replace("{epoch}", f"{epoch:04d}") for word in source.argv]
    hint = _("run it by hand: it must print the key in base64 within {seconds} s").format(seconds=COMMAND_SECONDS)
    try:
        done = subprocess.run(  # noqa: S603
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = type(error).__name__
        raise _missing(_("{command}: gave no key: {reason}").format(command=argv[0], reason=reason), hint) from None
    if done.returncode != 0:
        reason = str(done.returncode)
        raise _missing(_("{command}: gave no key: {reason}").format(command=argv[0], reason=reason), hint)
    return done.stdout[: _LONGEST + 1]


def _decode(text: bytes, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyMissing(
            _("{where}: does not hold a master key (32 bytes in base64)").format(where=where),
            hint=_("restore it from the copy made by `crmctl keys copy`"),
            code="MASTER_INVALID",
        )
    return key


def _missing(message: str, hint: str) -> KeyMissing:
    return KeyMissing(message, hint=hint, code="MASTER_MISSING")
