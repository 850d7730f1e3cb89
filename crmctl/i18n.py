"""Messages in the reader's language: `_` at the moment of speaking, `N_` to mark a constant.

English is the message id; `crmctl/locale/zh_CN/LC_MESSAGES/crmctl.{po,mo}` holds the Chinese. Click asks the same
catalogue for its own messages through gettext's default domain. Codes, JSON keys and exit codes are never translated.
"""

from __future__ import annotations

import gettext as _gettext
import os
from pathlib import Path

LANGUAGES = {"zh": "zh_CN", "en": "en"}
DOMAIN = "crmctl"
_LOCALE = Path(__file__).parent / "locale"

_state: dict[str, object] = {"lang": "en", "catalogue": _gettext.NullTranslations()}


def N_(message: str) -> str:
    """Return `message` unchanged: it marks a constant for translation, `_` translates it when shown."""
    return message


def _(message: str) -> str:
    """Return `message` in the language chosen by `use`."""
    catalogue = _state["catalogue"]
    assert isinstance(catalogue, _gettext.NullTranslations)
    return catalogue.gettext(message)


def use(lang: str) -> None:
    """Speak `lang` ("zh" or "en") from here on, click's own messages included."""
    locale = LANGUAGES.get(lang, "en")
    _state["lang"] = lang if lang in LANGUAGES else "en"
    _state["catalogue"] = _gettext.translation(DOMAIN, _LOCALE, [locale], fallback=True)
    os.environ["LANGUAGE"] = locale  # click calls gettext.gettext, which reads it at each call
    _gettext.bindtextdomain(DOMAIN, str(_LOCALE))
    _gettext.textdomain(DOMAIN)


def lang() -> str:
    """Return the language in use: "zh" or "en"."""
    return str(_state["lang"])


def from_environment(environ: dict[str, str] | os._Environ[str]) -> str:
    """Return the language the environment asks for: CRMCTL_LANG, then LC_ALL, LC_MESSAGES, LANG; else English."""
    for name in ("CRMCTL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def pick(labels: dict[str, str] | None, fallback: str = "") -> str:
    """Return the label of a policy's {zh:, en:} pair in the language in use, else any, else `fallback`."""
    if not labels:
        return fallback
    return labels.get(lang()) or next(iter(labels.values()), fallback)
