"""Messages in Chinese and English: none lacks a sound translation, and what is compiled is what is written."""

from __future__ import annotations

import errno
import gettext
import importlib.machinery
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from crmctl import i18n
from crmctl.cli.lazy import resolve
from crmctl.cli.nouns import GROUPS
from crmctl.cli.options import paragraphs
from crmctl.cli.table import COMMANDS

COMMON = (
    errno.ENOSPC, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EROFS, errno.EIO,
    errno.EMFILE, errno.ENAMETOOLONG, errno.EEXIST, errno.ELOOP, errno.EDQUOT, errno.EFBIG,
)  # fmt: skip
SCRIPT = Path(__file__).parent.parent / ".ci" / "messages"


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("messages", str(SCRIPT))
    spec = importlib.util.spec_from_loader("messages", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_no_message_lacks_a_sound_translation(messages: ModuleType) -> None:
    assert messages.problems(messages.extract(), messages.catalogue()) == []


def test_the_compiled_catalogue_is_the_written_one(messages: ModuleType) -> None:
    with messages.MO.open("rb") as stream:
        compiled = gettext.GNUTranslations(stream)
    written = {message.id: message.string for message in messages.catalogue() if message.id and message.string}

    for identity, text in written.items():
        if isinstance(identity, str):
            assert compiled.gettext(identity) == text
        else:
            assert compiled.ngettext(*identity, 2) == text[0]


def test_every_line_of_help_is_a_message(messages: ModuleType) -> None:
    known = {identity for identity in messages.extract() if isinstance(identity, str)}
    shown = {group.help for group in GROUPS} | {entry.help for entry in COMMANDS}
    for entry in COMMANDS:
        command = resolve(entry)
        shown |= {text for text in paragraphs(command.help or "") if not text.startswith("\b")}
        shown |= {parameter.help for parameter in command.params if getattr(parameter, "help", None)}

    assert shown - known == set()


def test_faults_of_a_translation_are_found(messages: ModuleType) -> None:
    catalog = messages.Catalog(locale="zh_CN")
    catalog.add("{path}: gone", "{pfad}：没了")
    catalog.add("fine", "好")
    catalog.add("unsure", "也许", flags={"fuzzy"})
    catalog.add("english", "english")
    catalog.add("{a} {b}", "{b} {a}")
    catalog.add(("{n} row", "{n} rows"), ("{n} 行",))
    found = dict.fromkeys(
        ["{path}: gone", "fine", "unsure", "english", "{a} {b}", "missing", ("{n} row", "{n} rows")], ["x.py"]
    )

    faults = {line.split(": ", 1)[1].rpartition("': ")[0].strip("'") for line in messages.problems(found, catalog)}

    assert faults == {"{path}: gone", "unsure", "english", "missing"}


def test_messages_are_found_in_calls_and_docstrings(messages: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text(
        '@command()\ndef a_command(call):\n    """One.\n\n    Two\n    lines.\n\n    \\b\n    kept\n    """\n\n'
        'def other():\n    """No message."""\n'
        '    return _("a" "b").format(x=1), N_("c"), ngettext("d", "e", 2), print("f")\n'
    )

    assert list(messages.messages_of(path)) == ["One.", "Two lines.", "ab", "c", ("d", "e")]


def test_a_formatted_string_is_refused(messages: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text("_(f'{x} lost')\n")

    with pytest.raises(SystemExit, match="formatted string"):
        list(messages.messages_of(path))


def test_an_update_loses_no_translation(messages: ModuleType) -> None:
    old = messages.Catalog(locale="zh_CN")
    old.add("kept", "留", locations=[("crmctl/a.py", 0)])
    old.add("gone", "去", locations=[("crmctl/a.py", 0)])
    old.add("of another click", "旧", locations=[("click", 0)])

    new = messages.merged({"kept": ["crmctl/a.py"], "added": ["crmctl/a.py"]}, old)
    again = messages.merged({"kept": ["crmctl/a.py"], "gone": ["crmctl/a.py"]}, new)

    assert new.get("kept").string == "留"
    assert new.get("added").string == ""
    assert new.get("gone") is None
    assert new.get("of another click").string == "旧"
    assert again.get("gone").string == "去"


def test_languages() -> None:
    i18n.use("zh")
    assert (i18n.lang(), i18n._("yes"), i18n.speak("yes", "en")) == ("zh", "是", "yes")
    assert i18n.pick({"zh": "甲", "en": "A"}) == "甲"
    i18n.use("en")
    assert (i18n.lang(), i18n._("yes"), i18n.speak("yes", "zh")) == ("en", "yes", "是")
    assert i18n.pick({"zh": "甲"}) == "甲"
    assert i18n.pick(None, "x") == "x"
    i18n.use("fr")
    assert i18n.lang() == "en"


@pytest.mark.parametrize(
    ("environ", "lang"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"CRMCTL_LANG": "zh", "LC_ALL": "C"}, "zh"),
        ({"LC_MESSAGES": "zh_TW"}, "zh"),
    ],
)
def test_the_environment_s_language(environ: dict[str, str], lang: str) -> None:
    assert i18n.from_environment(environ) == lang


def test_what_the_system_refuses_is_said_in_the_reader_s_language(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as missing:
        (tmp_path / "missing").read_bytes()
    i18n.use("zh")

    assert i18n.reason(missing.value) == "没有这个文件或文件夹"
    for number in COMMON:
        assert any("\u3400" <= letter <= "\u9fff" for letter in i18n.reason(OSError(number, os.strerror(number))))


def test_in_english_the_system_speaks_for_itself() -> None:
    assert [i18n.reason(OSError(number, "")) for number in COMMON] == [os.strerror(number) for number in COMMON]


def test_rarer_refusals_keep_the_system_s_words() -> None:
    i18n.use("zh")

    assert i18n.reason(OSError(errno.EXDEV, os.strerror(errno.EXDEV))) == os.strerror(errno.EXDEV)
    assert i18n.reason(OSError("no number")) == "OSError"


def test_no_message_takes_the_system_s_words_unasked() -> None:
    package = Path(i18n.__file__).parent
    users = [path.name for path in package.rglob("*.py") if ".strerror" in path.read_text("utf-8")]
    assert users == ["i18n.py"]
