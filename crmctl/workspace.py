"""Where a workspace is, its crmctl.yaml, and the configuration with the source of each value.

A workspace is a folder with crmctl.yaml, policies/, data/, locks/, spool/ and reports/. The key store lies outside
it. Values come from the command line, then CRMCTL_* variables, then crmctl.yaml, then the defaults here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl import i18n
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

FILE = "crmctl.yaml"
SCHEMA = 1


@dataclass(frozen=True)
class Setting:
    """One configuration value: where else it may come from, its default, and what it means."""

    name: str
    default: Any
    variable: str
    meaning: str


SETTINGS = (
    Setting("instance", "", "", N_("identity of this installation, bound into every sealed value")),
    Setting("lang", "", "CRMCTL_LANG", N_("language of messages: zh or en")),
    Setting("database", "data/crmctl.db", "CRMCTL_DATABASE", N_("SQLite file or PostgreSQL URL")),
    Setting("database_password_file", "", "CRMCTL_DATABASE_PASSWORD_FILE", N_("owner-only file with its password")),
    Setting("keys", "", "CRMCTL_KEYS", N_("folder or database URL of the key store, never inside the workspace")),
    Setting("keys_mirror", "", "", N_("folder or database URL of a second key store, kept in step with the first")),
    Setting("master_key", None, "", N_("who gives the master key: file, command or systemd")),
    Setting("key_rotation_days", 7, "", N_("days after which a new master key is due (crmctl keys rotate)")),
    Setting("key_horizon_days", 28, "", N_("days after which a master key must be destroyed, and copies with it")),
    Setting("signer", "", "", N_("folder of the key that signs checkpoints; else signer in the key store's folder")),
    Setting("backup_to", "", "CRMCTL_BACKUP_TO", N_("folder that backups of the data are written to")),
    Setting("backup_keys_to", "", "", N_("folder that backups of the keys are written to, apart from the data's")),
    Setting("backup_recipients", None, "", N_("public keys of age that backups are sealed to, or a file of them")),
    Setting("backup_unsealed", False, "", N_("true: backups are not sealed, whoever has one reads its clear columns")),
    Setting("mode", "direct", "", N_("direct: the person's own files; broker: a service account")),
    Setting("service_uid", None, "", N_("uid of the service account in broker mode")),
    Setting("lock_timeout", 30, "CRMCTL_LOCK_TIMEOUT", N_("seconds to wait for another run or a busy database")),
)


@dataclass(frozen=True)
class Value:
    """A configuration value and where it came from: `option`, `environment`, `crmctl.yaml` or `default`."""

    name: str
    value: Any
    source: str
    meaning: str


@dataclass(frozen=True)
class Workspace:
    """An opened workspace: its folder and its configuration."""

    root: Path
    values: Mapping[str, Value]

    def get(self, name: str) -> Any:
        """Return the value of a setting."""
        return self.values[name].value

    @property
    def policies(self) -> Path:
        """The folder of the policy files."""
        return self.root / "policies"

    @property
    def spool(self) -> Path:
        """The folder of sealed spools of standard input."""
        return self.root / "spool"

    @property
    def instance(self) -> bytes:
        """The 16 bytes that bind sealed values to this installation."""
        return bytes.fromhex(str(self.get("instance")).replace("-", ""))

    @property
    def database_url(self) -> str:
        """The database as a SQLAlchemy URL; a bare name is a SQLite file in the workspace."""
        text = str(self.get("database"))
        return text if "://" in text else f"sqlite:///{self.root / text}"

    @property
    def keys(self) -> str:
        """The key store: a URL, or a folder resolved against the workspace."""
        text = str(self.get("keys"))
        return text if "://" in text else str((self.root / text).resolve())

    @property
    def keys_mirror(self) -> str:
        """The mirror of the key store, as `keys`; empty without one."""
        text = str(self.get("keys_mirror") or "")
        return text if "://" in text or not text else str((self.root / text).resolve())

    @property
    def signer(self) -> Path:
        """The folder of the signer of checkpoints; beside the master key unless set."""
        text = str(self.get("signer"))
        if text:
            return (self.root / text).resolve()
        return (self.root.with_name(f"{self.root.name}.keys") if "://" in self.keys else Path(self.keys)) / "signer"

    @property
    def timeout(self) -> float:
        """Seconds to wait for a lock."""
        return float(self.get("lock_timeout"))


def find(
    folder: Path | None, environ: Mapping[str, str] | None = None, *, options: Mapping[str, Any] | None = None
) -> Workspace:
    """Return the workspace at `folder`, else at CRMCTL_WORKSPACE, else the nearest one upwards from here.

    `options` are settings given on the command line. Raises InvalidInput when there is none or its file is not valid.
    """
    variables = os.environ if environ is None else environ
    start = folder or (Path(variables["CRMCTL_WORKSPACE"]) if variables.get("CRMCTL_WORKSPACE") else None)
    root = start.absolute() if start else _upwards(Path.cwd())
    if root is None or not (root / FILE).is_file():
        raise InvalidInput(
            _("{folder}: no workspace here (no {file})").format(folder=root or Path.cwd(), file=FILE),
            hint=_("name one with -w DIR or make one: crmctl init DIR"),
            code="WORKSPACE_MISSING",
        )
    return Workspace(root, _values(_read(root / FILE), variables, options or {}))


def called(call: Invocation) -> Workspace:
    """Return the workspace a command was called for, and speak its language unless the caller chose one."""
    options = {"lock_timeout": call.timeout if "lock_timeout" in call.given else None}
    place = find(call.workspace, options=options)
    if "lang" not in call.given and place.get("lang"):
        i18n.use(str(place.get("lang")))
    return place


def _upwards(folder: Path) -> Path | None:
    for candidate in (folder, *folder.parents):
        if (candidate / FILE).is_file():
            return candidate
    return None


def _read(path: Path) -> dict[str, Any]:
    from crmctl.policy.loader import read_mapping

    document = read_mapping(path)
    known = {setting.name for setting in SETTINGS} | {"schema"}
    unknown = sorted(set(document) - known)
    if unknown:
        raise InvalidInput(
            _("{path}: unknown setting {names}").format(path=path, names=", ".join(unknown)),
            hint=_("known settings: {names}").format(names=", ".join(sorted(known))),
            code="CONFIG_INVALID",
        )
    if document.get("schema") != SCHEMA or not document.get("instance"):
        raise InvalidInput(
            _("{path}: needs schema: {schema} and an instance").format(path=path, schema=SCHEMA), code="CONFIG_INVALID"
        )
    return document


def _values(document: Mapping[str, Any], variables: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Value]:
    values = {}
    for setting in SETTINGS:
        value, source = setting.default, "default"
        if setting.name in document:
            value, source = document[setting.name], FILE
        if setting.variable and variables.get(setting.variable):
            value, source = variables[setting.variable], f"environment {setting.variable}"
        if options.get(setting.name) is not None:
            value, source = options[setting.name], "option"
        values[setting.name] = Value(setting.name, value, source, setting.meaning)
    try:
        float(values["lock_timeout"].value)
    except ValueError:
        raise InvalidInput(_("lock_timeout: not a number of seconds"), code="CONFIG_INVALID") from None
    return values


def masked(text: str) -> str:
    """Return a URL without its password."""
    head, separator, rest = text.partition("://")
    if not separator or "@" not in rest:
        return text
    credentials, at, host = rest.rpartition("@")
    return f"{head}://{credentials.partition(':')[0]}{at}{host}"
