"""Messages in the reader's language: `_` at the moment of speaking, `N_` to mark a constant.

English is the message id; `crmctl/locale/zh_CN/LC_MESSAGES/crmctl.{po,mo}` holds the Chinese. Click asks the same
catalogue for its own messages through gettext's default domain. Codes, JSON keys and exit codes are never translated.
"""

from __future__ import annotations

import errno
import gettext as _gettext
import os
from collections.abc import Mapping

LANGUAGES = {"zh": "zh_CN", "en": "en"}
DOMAIN = "crmctl"
_LOCALE = os.path.join(os.path.dirname(__file__), "locale")  # noqa: PTH118, PTH120 - pathlib costs 4 ms at start

_state: dict[str, object] = {"lang": "en", "catalogue": _gettext.NullTranslations()}


def N_(message: str) -> str:
    """Return `message` unchanged: it marks a constant for translation, `_` translates it when shown."""
    return message


def _(message: str) -> str:
    """Return `message` in the language chosen by `use`."""
    catalogue = _state["catalogue"]
    assert isinstance(catalogue, _gettext.NullTranslations)
    return catalogue.gettext(message)


_REASONS: Mapping[int, str] = {
    errno.EPERM: N_("Operation not permitted"),
    errno.ENOENT: N_("No such file or directory"),
    errno.EIO: N_("Input/output error"),
    errno.EACCES: N_("Permission denied"),
    errno.EEXIST: N_("File exists"),
    errno.ENOTDIR: N_("Not a directory"),
    errno.EISDIR: N_("Is a directory"),
    errno.EMFILE: N_("Too many open files"),
    errno.EFBIG: N_("File too large"),
    errno.ENOSPC: N_("No space left on device"),
    errno.EROFS: N_("Read-only file system"),
    errno.ENAMETOOLONG: N_("File name too long"),
    errno.ELOOP: N_("Too many levels of symbolic links"),
    errno.EDQUOT: N_("Disk quota exceeded"),
}


def reason(error: OSError) -> str:
    """Return why the system refused, in the reader's language; the rarer reasons are in the system's own words."""
    known = _REASONS.get(error.errno or 0)
    return _(known) if known else error.strerror or type(error).__name__


def use(lang: str) -> None:
    """Speak `lang` ("zh" or "en") from here on, click's own messages included."""
    _state["lang"] = lang if lang in LANGUAGES else "en"
    _state["catalogue"] = _catalogue(lang)
    os.environ["LANGUAGE"] = LANGUAGES.get(lang, "en")  # click calls gettext.gettext, which reads it at each call
    _gettext.bindtextdomain(DOMAIN, _LOCALE)
    _gettext.textdomain(DOMAIN)


def _catalogue(lang: str) -> _gettext.NullTranslations:
    """Return the catalogue of a language; English is the message ids. gettext.translation would import locale."""
    path = os.path.join(_LOCALE, LANGUAGES.get(lang, "en"), "LC_MESSAGES", f"{DOMAIN}.mo")  # noqa: PTH118
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            return _gettext.GNUTranslations(stream)
    except FileNotFoundError:
        return _gettext.NullTranslations()


def speak(message: str, language: str = "") -> str:
    """Return `message` in "zh" or "en" whatever language is in use, or in the one in use when `language` is ""."""
    if language in ("", lang()):
        return _(message)
    return _catalogue(language).gettext(message)


def lang() -> str:
    """Return the language in use: "zh" or "en"."""
    return str(_state["lang"])


def from_environment(environ: Mapping[str, str]) -> str:
    """Return the language the environment asks for: CRMCTL_LANG, then LC_ALL, LC_MESSAGES, LANG; else English."""
    for name in ("CRMCTL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def pick(labels: Mapping[str, str] | None, fallback: str = "") -> str:
    """Return the label of a policy's {zh:, en:} pair in the language in use, else any, else `fallback`."""
    if not labels:
        return fallback
    return labels.get(lang()) or next(iter(labels.values()), fallback)
