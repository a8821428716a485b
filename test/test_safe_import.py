"""Nodes and commands import no module of the folder that they are started in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bags import moving_bag

from vlm_robot_ros.safe_import import exclude_working_directory

_CLI = "import sys; from vlm_robot_ros.cli.main import main; sys.exit(main(sys.argv[1:]))"
_NODE = "import sys; from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())"
_POLICY = """
from pathlib import Path
from vlm_robot_ros.interfaces.policy import HoldPolicy
Path(__file__).with_name("imported").touch()
class Mine(HoldPolicy):
    def __init__(self, robot):
        raise ValueError("made of " + robot.name)
"""


@pytest.fixture
def folder(tmp_path):
    """Return a working directory with a module of a policy."""
    (tmp_path / "my_module.py").write_text(_POLICY)
    return tmp_path


def started(folder, *command, python_path="", **environment):
    """Run Python in a folder; `python_path` comes before what PYTHONPATH has."""
    own = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([python_path, own]) if python_path is not None else own
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )


def node(*parameters):
    """Return the command line of the policy node."""
    return "-c", _NODE, "--ros-args", *(part for each in parameters for part in ("-p", each))


# An empty entry of PYTHONPATH stands for the working directory, and is often there by mistake.
@pytest.mark.long
@pytest.mark.parametrize("python_path", [None, ""])
def test_a_policy_in_the_working_directory_is_not_found(folder, python_path):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    done = started(folder, *node("policy:=my_module:Mine"), python_path=python_path)
    assert done.returncode == 1
    assert "no policy of 'my_module:Mine': ModuleNotFoundError" in done.stderr
    assert "of a folder on PYTHONPATH, or the name of an entry point" in done.stderr
    assert "set PYTHONPATH=.:$PYTHONPATH for a module in it" in done.stderr
    assert not (folder / "imported").exists()


def test_a_policy_in_the_working_directory_is_found_where_pythonpath_names_it(folder):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    done = started(folder, *node("policy:=my_module:Mine"), python_path=".")
    assert "ValueError('made of panda_sim')" in done.stderr


@pytest.mark.long
def test_a_process_of_the_policy_imports_no_standard_module_of_the_working_directory(folder):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    for name in ("runpy", "multiprocessing", "pickle"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
    # As an installed script: with -c Python itself looks there, before any of our code runs.
    (folder / "bin").mkdir()
    script = folder / "bin" / "node.py"
    script.write_text(
        "import sys\nif __name__ == '__main__':\n"
        "    from vlm_robot_ros.nodes.policy_node import main\n    sys.exit(main())\n"
    )
    arguments = ["--ros-args", "-p", "policy:=odd_policies:NoSuch"]
    done = started(folder, str(script), *arguments, python_path=str(Path(__file__).parent))
    if sys.version_info >= (3, 11):
        assert "no policy of 'odd_policies:NoSuch': AttributeError" in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("way", [("-c", _CLI), ("-m", "vlm_robot_ros.cli.main")])
def test_a_command_finds_no_policy_in_the_working_directory(folder, way):
    moving_bag(folder / "bag", 0.5)
    command = ["bag", "replay", str(folder / "bag"), "--policy", "my_module:Mine"]
    found = started(folder, *way, *command, python_path=None)
    assert "my_module" in found.stderr
    assert "No module named" in found.stderr
    assert not (folder / "imported").exists()


def test_what_stands_before_the_standard_library_is_left_out_and_the_rest_stays(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named").mkdir()
    standard = next(path for path in sys.path if path == os.path.dirname(os.__file__))
    for given, named, left in [
        (["", "/a", standard, "/b"], "", ["/a", standard, "/b"]),
        ([str(tmp_path), standard], "", [standard]),
        (["", str(tmp_path), standard], f"{tmp_path}", [str(tmp_path), standard]),
        ([str(tmp_path), standard], ".", [str(tmp_path), standard]),
        ([str(tmp_path), standard], ":/c:", [standard]),
        # By an editable installation, whose entries come last.
        (["", standard, str(tmp_path)], "", [standard, str(tmp_path)]),
    ]:
        monkeypatch.setattr(sys, "path", [*given, *_of_this_package()])
        monkeypatch.setenv("PYTHONPATH", named)
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        exclude_working_directory()
        assert sys.path == [*left, *_of_this_package()]
        assert os.environ["PYTHONSAFEPATH"] == "1"
        assert not os.environ["PYTHONPATH"].startswith(os.pathsep)


def _of_this_package():
    return ["/" + "/".join(Path(__file__).resolve().parts[1:-2])]
