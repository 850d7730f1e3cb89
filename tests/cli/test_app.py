"""The way in: streams, exit statuses, signals, what a start costs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import golden
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmctl import __version__, i18n
from crmctl.errors import EXIT_CODES

HEAVY = ("sqlalchemy", "yaml", "pydantic", "logging", "cryptography", "tabulate", "dataclasses", "locale", "pathlib")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["customer", "--help"], ["lst"]])
def test_no_command_and_no_library_is_imported_for_help(arguments: list[str]) -> None:
    program = (
        "import sys; before = set(sys.modules); from crmctl.cli.app import main; main(sys.argv[1:]);"
        "print('modules:', *sorted(set(sys.modules) - before))"
    )

    result = golden.spawn(["-S", "-c", program, *arguments], command=(sys.executable,), env=_path())

    loaded = result.stdout.rpartition("modules:")[2].split()
    heavy = [name for name in loaded if name.split(".")[0] in HEAVY and arguments != ["lst"]]
    assert heavy == []
    assert not [name for name in loaded if name.endswith("commands")]


def _path() -> dict[str, str]:
    """Without the site module there are no editable installs, which import what we count."""
    return {"PYTHONPATH": os.pathsep.join([str(golden.CHECKOUT), *(p for p in sys.path if p.endswith("-packages"))])}


def test_version() -> None:
    assert golden.call(["--version"]) == golden.Result(0, f"crmctl {__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("words", [[], ["customer"], ["help"]])
def test_help_is_data_on_standard_output_and_begins_with_an_example(words: list[str], flag: str) -> None:
    result = golden.call([*words, flag])

    assert result.exit_code == 0
    assert result.stdout.startswith("Example:\n  crmctl ")
    assert result.stderr == ""


@pytest.mark.parametrize("words", [[], ["customer"]])
def test_a_missing_verb_is_a_usage_error_that_shows_the_commands(words: list[str]) -> None:
    result = golden.call(words)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Commands:" in result.stderr


def test_the_returned_int_is_the_exit_status(samples: object) -> None:
    assert golden.call(["probe", "change"]).exit_code == 3


def test_works_with_an_empty_environment_the_c_locale_and_the_root_folder() -> None:
    result = golden.spawn(["--lang", "zh", "help", "exit-codes"], env={"LANG": "C"}, cwd="/")

    assert result.exit_code == 0
    assert "完成，或无事可做" in result.stdout


def test_a_removed_working_folder_is_no_bug(tmp_path: Path) -> None:
    line = f"mkdir in && cd in && rmdir ../in && exec {sys.executable} -m crmctl --version"

    result = golden.spawn(["-c", line], command=("sh",), cwd=tmp_path)

    assert result == golden.Result(0, f"crmctl {__version__}\n", "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(closed: str) -> None:
    line = f"{sys.executable} -m crmctl help exit-codes {closed}; echo $?"

    assert golden.spawn(["-c", line], command=("sh",)).stdout.splitlines()[-1] == "0"


def test_a_reader_that_leaves_early_gives_1_and_no_traceback(sample_program: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*sample_program, "probe", "list"], stdout=write, stderr=subprocess.PIPE, env=_environment(), check=False
        )
    finally:
        os.close(write)

    assert done.returncode == 1
    assert done.stderr == b"four rows\n"


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(golden.CHECKOUT)}


@pytest.mark.parametrize("words", [["help", "exit-codes"], ["--help"], ["probe", "list", "-o", "xlsx"]])
def test_a_full_disk_under_standard_output_is_74(sample_program: tuple[str, ...], words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*sample_program, "-q", *words], stdout=full, stderr=subprocess.PIPE, env=_environment(), check=False
        )

    assert done.returncode == 74
    assert b"writing failed" in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("number", "status", "code"), [(signal.SIGINT, 130, "INTERRUPTED"), (signal.SIGTERM, 143, "TERMINATED")]
)
def test_signals_unwind_the_command(
    sample_program: tuple[str, ...], number: signal.Signals, status: int, code: str
) -> None:
    process = subprocess.Popen(
        [*sample_program, "-o", "json", "probe", "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    _out, err = process.communicate(timeout=30)

    assert process.returncode == status
    assert f'"{code}"' in err.decode()


def test_the_finally_of_a_command_runs_before_the_process_ends(sample_program: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [*sample_program, "probe", "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    _out, err = process.communicate(timeout=30)

    assert err.decode().splitlines()[0] == "rolled back"


def test_a_command_in_its_own_process_leaves_no_core_and_no_open_files(tmp_path: Path) -> None:
    program = (
        "import sys, os, resource; sys.argv[1:] = ['help', 'cron', '-q']; from crmctl.cli.app import main; main();"
        "import ctypes; print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3))"
    )

    result = golden.spawn(["-c", program], command=(sys.executable,))

    assert result.stdout.splitlines()[-1] == "(0, 0) 0"


def test_files_made_during_a_command_are_the_owners_alone_and_the_mask_returns(
    samples: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    monkeypatch.setattr("sample_commands.time.sleep", lambda seconds: (tmp_path / "made").touch())
    try:
        golden.call(["probe", "wait"])
        after = os.umask(0)
    finally:
        os.umask(before)

    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
    assert after == 0


def test_language_comes_from_the_option_then_the_variable_then_the_workspace_then_the_locale(tmp_path: Path) -> None:
    (tmp_path / "crmctl.yaml").write_text("schema: 1\nlang: zh  # ours\n")
    below = tmp_path / "data"
    below.mkdir()

    def language(*arguments: str, cwd: Path | None = None, **env: str) -> str:
        return "zh" if "示例" in golden.call([*arguments, "--help"], cwd=cwd, env=env).stdout else "en"

    assert language() == "en"
    assert language(LC_ALL="", LANG="zh_CN.UTF-8") == "zh"
    assert language(cwd=below) == "zh"
    assert language("-w", str(tmp_path)) == "zh"
    assert language("-w", str(below)) == "en"
    assert language(cwd=below, CRMCTL_LANG="en") == "en"
    assert language("--lang", "zh", CRMCTL_LANG="en") == "zh"


def test_language_and_logging_are_given_back_to_a_caller_in_python() -> None:
    before = list(logging.getLogger().handlers)

    golden.call(["--lang", "zh", "help", "cron", "-v"])

    assert i18n.lang() == "en"
    assert logging.getLogger().handlers == before


WORDS = [
    "probe",
    "settle",
    "list",
    "find",
    "help",
    "cron",
    "-o",
    "json",
    "xlsx",
    "-w",
    "--lang",
    "zh",
    "-n",
    "--",
    "-",
    "-h",
]
WORDS += [
    "--as-of",
    "--lock-timeout",
    "-vvq",
    "--name",
    "--mobile",
    "@/nowhere",
    "--output=csv",
    "--tier",
    "-x",
    "\udcff",
    "",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS) | st.text(st.characters(exclude_characters="\0"), max_size=4), max_size=7))
def test_no_command_line_finds_a_bug_or_says_nothing(samples: object, words: list[str]) -> None:
    result = golden.call(words, b"value\n")

    assert result.exit_code in set(EXIT_CODES) - {70}
    assert result.stdout or result.stderr
    assert not {"\x1b", "\x9b"} & set(result.stdout + result.stderr)
