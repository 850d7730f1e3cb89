"""Where the files that ship with the program lie: inside the package in a wheel, else at the top of the checkout."""

from __future__ import annotations

from pathlib import Path

from crmctl.errors import DatabaseMissing
from crmctl.i18n import _

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Return the folder of the shipped `policies` or `alembic` files.

    Found by path, never imported: an editable install cannot map them. Raises DatabaseMissing when the installation
    is incomplete.
    """
    for folder in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise DatabaseMissing(
        _("the shipped folder {name} is missing from this installation").format(name=name),
        hint=_("install crmctl again"),
        code="INSTALLATION_INCOMPLETE",
    )
