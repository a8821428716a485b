"""Control and format characters from files and topics never reach a terminal."""

import io
import json
import subprocess
import sys

import pytest

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.terminal_text import EscapingStream, escape_output, escape_unprintable

CLEAR, TITLE = "\x1b[2J", "\x1b]0;gotcha\x07"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("pick up the red cube", "pick up the red cube"),
        ("nimm den Würfel, 拿起红色方块 🤖", "nimm den Würfel, 拿起红色方块 🤖"),
        ("10\u202fkg", "10\u202fkg"),
        (f"{CLEAR}x", "\\x1b[2Jx"),
        (TITLE, "\\x1b]0;gotcha\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\r\tc\0\x7f\x08", "a\\nb\\r\\tc\\x00\\x7f\\x08"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("a\u200bb\ufeffc\u2028d", "a\\u200bb\\ufeffc\\u2028d"),
        ("\ud800", "\\ud800"),
        (ValueError("x\x1b"), "x\\x1b"),
    ],
)
def test_a_text_is_one_line_without_controls(given, shown):
    assert escape_unprintable(given) == shown
    assert escape_unprintable(given).isprintable() or "\u202f" in shown
    escape_unprintable(given).encode()


def test_a_long_text_is_cut_before_it_is_escaped():
    assert escape_unprintable("\x1b" * 10**7, 2) == "\\x1b\\x1b… (10000000 characters)"
    assert escape_unprintable("abc", 3) == "abc"


def test_a_stream_keeps_lines_tabs_and_the_bars_of_tqdm():
    stream = io.StringIO()
    out = EscapingStream(stream)
    assert out.write("| a\t| b |\n\n") == 11
    out.write("\r 50%|#")
    out.write(f"evil{CLEAR}\rok\n")
    assert stream.getvalue() == "| a\t| b |\n\n\r 50%|#evil\\x1b[2J\\rok\n"
    assert out.isatty() is False


def test_output_is_as_before_afterwards(capsys):
    before = sys.stdout
    with escape_output():
        print(CLEAR)
        print(TITLE, file=sys.stderr)
    assert sys.stdout is before
    assert capsys.readouterr() == ("\\x1b[2J\n", "\\x1b]0;gotcha\\x07\n")


def test_what_a_dataset_says_is_escaped_by_the_command(tmp_path, capsys):
    folder = tmp_path / f"set{CLEAR}"
    (folder / "meta").mkdir(parents=True)
    info = {"codebase_version": f"v9{TITLE}", "robot_type": CLEAR, "features": {CLEAR: {}}}
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    assert main(["data", "inspect", str(folder)]) == 2
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\\x1b" in told.err


def test_an_error_of_a_file_is_escaped_by_the_command(tmp_path):
    contract = tmp_path / "arm.yaml"
    contract.write_text('name: "arm\\e[2J"\nbogus: "\\e]0;x\\a"\n')
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "contract", "check", str(contract)]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert b"\x1b" not in done.stdout + done.stderr
