"""The pieces of sets: manifests, packed configurations, sealed files, places, the programs of PostgreSQL."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from media import pair

from crmctl.backups import agefile, configuration, manifest, places, servercopy
from crmctl.backups.agefile import Sink
from crmctl.backups.manifest import LogHead, Manifest, Part
from crmctl.errors import CrmctlError, IntegrityFailed, InvalidInput, KeyMissing, Refused

MADE = Manifest(
    kind=manifest.DATA,
    name="crmctl-data-1",
    instance="5c056b2f-2c87-47ed-8ab7-61180d8dc329",
    revision="0010",
    made_at="2026-01-05T09:00:00Z",
    database="sqlite",
    counts={"customer": 3},
    log=LogHead(5, "a" * 64, "b" * 64),
    checkpoint="crm\n5\n…\n",
    parts=(Part("database.db.age", "database", 10, "c" * 64),),
    master_epochs=(1, 2),
    policy="d" * 64,
    program="0.1.0",
    recipients=("age1…",),
)


# Manifests -------------------------------------------------------------------------------------------------------


def test_a_manifest_reads_back_as_it_was() -> None:
    assert manifest.parse(MADE.to_bytes(), "here") == MADE


@given(st.integers(0, len(MADE.to_bytes()) - 1), st.integers(0, 7))
def test_any_bit_of_a_manifest_counts(at: int, bit: int) -> None:
    """It is refused, or says something else, and then its hash is another."""
    data = bytearray(MADE.to_bytes())
    data[at] ^= 1 << bit
    try:
        assert manifest.parse(bytes(data), "here") != MADE
    except IntegrityFailed as error:
        assert error.code == "BACKUP_BROKEN"


@given(st.binary(max_size=200))
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityFailed):
        manifest.parse(data, "here")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ".hidden", "A", "a/b", ""])
def test_a_part_is_a_plain_name(name: str) -> None:
    text = MADE.to_bytes().replace(b'"database.db.age"', f'"{name}"'.encode())
    with pytest.raises(IntegrityFailed):
        manifest.parse(text, "here")


# Configurations --------------------------------------------------------------------------------------------------


def packed(*members: tuple[str, bytes, bytes]) -> bytes:
    """Return a compressed tar file of (name, contents, type)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data, kind in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(data), kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


FILE, SETTINGS = tarfile.REGTYPE, ("settings.json", b"{}", tarfile.REGTYPE)


def test_a_configuration_is_settings_and_policies() -> None:
    found = configuration.unpack(packed(SETTINGS, ("policies/tests/客户.yaml", b"x", FILE)), "here")
    assert found == configuration.Configuration({}, {"policies/tests/客户.yaml": b"x"})


@pytest.mark.parametrize(
    "member",
    [
        ("../crmctl.yaml", b"x", FILE),
        ("policies/../../x.yaml", b"x", FILE),
        ("/policies/x.yaml", b"x", FILE),
        ("policies/x.py", b"x", FILE),
        ("policies/x.yaml", b"", tarfile.SYMTYPE),
        ("policies/x.yaml", b"", tarfile.LNKTYPE),
        ("policies/x.yaml", b"", tarfile.FIFOTYPE),
        ("settings.json", b'{"unknown": 1}', FILE),
        ("settings.json", b"[]", FILE),
    ],
)
def test_nothing_else_is_unpacked(member: tuple[str, bytes, bytes]) -> None:
    """Whoever can seal a file cannot write where they like with it."""
    with pytest.raises(IntegrityFailed):
        configuration.unpack(packed(SETTINGS, member), "here")
    with pytest.raises(IntegrityFailed):
        configuration.unpack(packed(), "here")


# Sealed files ----------------------------------------------------------------------------------------------------


def sealed(data: bytes, *recipients: str) -> bytes:
    out = io.BytesIO()
    agefile.seal(io.BytesIO(data), Sink(out), recipients)
    return out.getvalue()


def opened(data: bytes, path: Path) -> bytes:
    out = io.BytesIO()
    agefile.unseal(io.BytesIO(data), Sink(out), agefile.identities_in(path), "here")
    return out.getvalue()


@pytest.mark.parametrize("size", [0, 1, 65_536, 300_001])
def test_either_of_two_opens(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (one, first), (two, second) = pair(tmp_path / "one"), pair(tmp_path / "two")
    made = sealed(data, first, second)
    assert opened(made, one) == opened(made, two) == data
    with pytest.raises(KeyMissing):
        opened(made, pair(tmp_path / "three")[0])


@pytest.mark.parametrize("cut", [1, 100, 65_552, 140_000])
def test_what_is_cut_off_does_not_open(tmp_path: Path, cut: int) -> None:
    private, public = pair(tmp_path / "key")
    with pytest.raises(IntegrityFailed):
        opened(sealed(os.urandom(200_000), public)[:-cut], private)


def test_ssh_keys_will_do(tmp_path: Path) -> None:
    own = Ed25519PrivateKey.generate()
    path = tmp_path / "id_ed25519"
    path.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    public = own.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert opened(sealed(b"data", public), path) == b"data"


def test_what_stops_the_writer_is_told(tmp_path: Path) -> None:
    """Not that sealing or opening failed: the disk is full."""

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    private, public = pair(tmp_path / "key")
    with pytest.raises(OSError, match="No space"):
        agefile.seal(io.BytesIO(b"x" * 100_000), Sink(Full()), [public])
    with pytest.raises(OSError, match="No space"):
        made = sealed(b"x" * 100_000, public)
        agefile.unseal(io.BytesIO(made), Sink(Full()), agefile.identities_in(private), "here")


# Places ----------------------------------------------------------------------------------------------------------


def test_two_media_side_by_side_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/media/a and /media/b: what holds both is the machine. Two folders of one medium are not."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with pytest.raises(Refused):
        places._apart(one, two)
    monkeypatch.setattr(places, "_is_mount", lambda folder: folder in (one, two))
    places._apart(one, two)
    with pytest.raises(Refused):
        places._apart(one, two.parent)
    with pytest.raises(Refused):
        places._apart(one, one)


# Programs of PostgreSQL ------------------------------------------------------------------------------------------


def program(folder: Path, said: str, status: int = 0) -> None:
    folder.mkdir(parents=True)
    path = folder / "pg_dump"
    path.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n")
    path.chmod(0o755)


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without PostgreSQL but for what a test puts on PATH."""
    monkeypatch.setattr(servercopy, "_PLACES", (str(tmp_path / "pg" / "*" / "bin").lstrip("/"),))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def test_the_nearest_program_that_is_new_enough(nothing_installed: Path) -> None:
    places = nothing_installed / "pg"
    for number in (13, 15, 16, 18):
        program(places / str(number) / "bin", f"pg_dump (PostgreSQL) {number}.4 (Debian {number}.4-1)")
    program(places / "broken" / "bin", "nothing", 1)
    for server, wanted in ((13, 13), (14, 15), (15, 15), (17, 18)):
        assert servercopy.tool("pg_dump", server) == places / str(wanted) / "bin" / "pg_dump"


def test_an_older_program_will_not_do(nothing_installed: Path) -> None:
    program(nothing_installed / "path", "pg_dump (PostgreSQL) 15.4")
    with pytest.raises(Refused) as refused:
        servercopy.tool("pg_dump", 16)
    assert (refused.value.code, refused.value.exit_code) == ("PG_TOOL_MISSING", 1)
    assert "found here: 15" in refused.value.message
    assert "postgresql-client-16" in refused.value.hint


def test_a_program_that_fails_says_so(nothing_installed: Path, postgres_url: str, tmp_path: Path) -> None:
    """Half a dump is never taken for one."""
    from crmctl.store.engine import open_engine

    folder = nothing_installed / "path"
    folder.mkdir()
    path = folder / "pg_dump"
    path.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 99.1' && exit 0\n"
        "echo PGDMP half of it\necho 'error: connection lost for 王小明' >&2\nexit 1\n"
    )
    path.chmod(0o755)
    base = open_engine(postgres_url)
    with pytest.raises(CrmctlError) as failed, servercopy.dumping(base, ()) as (_conn, stream):
        assert stream.read() == b"PGDMP half of it\n"
    base.dispose()
    assert (failed.value.code, failed.value.exit_code) == ("PG_TOOL_FAILED", 74)
    assert "王小明" not in failed.value.message


def test_recipients_that_are_nothing_are_refused(tmp_path: Path) -> None:
    for text in ("", "age1", "ssh-rsa", "AGE-SECRET-KEY-1"):
        with pytest.raises(InvalidInput):
            sealed(b"x", text)
