"""SSH signatures of statements, checked by `ssh-keygen -Y verify` against the owner's file of allowed signers.

The namespace is `crmctl-approval`: what was signed for anything else is refused. The program's own key store plays no
part, so that who writes the database alone, or runs this program under another account, can forge none.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from crmctl.errors import InvalidInput, PermissionMissing
from crmctl.files import open_input
from crmctl.i18n import _
from crmctl.runs.run import Run, access_of

NAMESPACE = "crmctl-approval"
PROGRAM = "ssh-keygen"
PLACES = "/usr/bin:/bin:/usr/local/bin:/opt/homebrew/bin"  # never the caller's PATH
MOST_BYTES = 64 * 1024
SECONDS = 20.0


def signers_of(run: Run) -> bytes:
    """Return the file of allowed signers that access.yaml names, read once.

    Raises InvalidInput when none is named or it cannot be read, PermissionMissing when somebody else may write to it.
    """
    named = access_of(run.policies).allowed_signers
    if named is None:
        raise InvalidInput(
            _("policies/access.yaml names no file of allowed signers"),
            hint=_("name it there as `allowed_signers`"),
            code="SIGNERS_MISSING",
        )
    path = run.workspace.root / named
    owner = run.workspace.root.stat().st_uid
    with open_input(path) as stream:
        about = os.fstat(stream.fileno())
        if about.st_uid not in (0, owner) or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionMissing(
                _("{path}: others than its owner may change who signs").format(path=path),
                hint=_("let it belong to the owner of the workspace, writable by nobody else"),
                code="SIGNERS_NOT_OURS",
            )
        return stream.read(MOST_BYTES * 16)


def read_signature(path: Path) -> str:
    """Return the text of a signature file. Raises InvalidInput for what is none."""
    with open_input(path) as stream:
        data = stream.read(MOST_BYTES + 1)
    text = data.decode("ascii", "replace")
    if len(data) > MOST_BYTES or not text.startswith("-----BEGIN SSH SIGNATURE-----"):
        raise InvalidInput(
            _("{path}: is no SSH signature").format(path=path),
            hint=_("make one with: ssh-keygen -Y sign -n {namespace} -f KEY STATEMENT").format(namespace=NAMESPACE),
            code="SIGNATURE_INVALID",
        )
    return text


def verify(signers: bytes, person: str, statement: str, signature: str) -> bool:
    """Say whether `signature` is of `person`, one of `signers`, over `statement`, in our namespace, and valid today.

    Raises InvalidInput when there is no ssh-keygen on this machine.
    """
    program = shutil.which(PROGRAM, path=PLACES)
    if program is None:
        raise InvalidInput(
            _("{program} is not on this machine; signatures cannot be checked").format(program=PROGRAM),
            hint=_("install OpenSSH"),
            code="SSH_KEYGEN_MISSING",
        )
    with tempfile.TemporaryDirectory(prefix="crmctl-") as folder:  # owner-only
        keys, given = Path(folder, "signers"), Path(folder, "signature")
        keys.write_bytes(signers)
        given.write_text(signature, "ascii", errors="replace")
        words = [program, "-Y", "verify", "-f", str(keys), "-I", person, "-n", NAMESPACE, "-s", str(given)]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, no shell; the person's name is access.yaml's
                words,
                input=statement.encode("ascii"),
                capture_output=True,
                timeout=SECONDS,
                env={"PATH": PLACES, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def signers_hash(signers: bytes) -> str:
    """Return the SHA-256 that is kept with a decision: by whose keys it was judged."""
    return sha256(signers).hexdigest()


def refused(person: str) -> PermissionMissing:
    """Return the refusal of a signature that is not this person's over this statement."""
    return PermissionMissing(
        _("the signature is not {person}'s over this statement").format(person=person),
        hint=_("sign what `crmctl approval statement` prints: ssh-keygen -Y sign -n {namespace} -f KEY").format(
            namespace=NAMESPACE
        ),
        code="SIGNATURE_REFUSED",
    )
