"""Which package may import which; docs/explanation/architecture.md shows it."""

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vlm_robot_ros"
_BASE = {"interfaces", "robot", "kinematics"}
_LOOP = {*_BASE, "motion", "runtime"}
_TABLE = {*_BASE, "data", "tasks"}
MAY_IMPORT = {
    "interfaces": set(),
    "robot": {"interfaces"},
    "kinematics": {"interfaces", "robot"},
    "motion": _BASE,
    "runtime": {*_BASE, "motion"},
    "data": _BASE,
    "tasks": {"kinematics"},
    "language": {"tasks"},
    "sim": _TABLE,
    "manipulation": _BASE,
    "models": {"interfaces"},
    "viz": {"models"},
    "inference": {"interfaces", "models"},
    "policies": {*_BASE, "inference", "language", "manipulation", "models", "viz"},
    "speech": {"language", "runtime", "tasks"},
    "evaluation": {*_LOOP, *_TABLE, "inference", "language", "manipulation", "sim", "viz"},
    "training": {
        *_TABLE,
        "evaluation",
        "language",
        "manipulation",
        "models",
        "policies",
        "sim",
    },
    "bags": {*_LOOP, "data", "inference"},
    "ros": {*_LOOP, *_TABLE, "inference", "policies", "sinks", "viz"},
    "sinks": {*_BASE, "motion"},
    "console": {*_LOOP, "data", "ros"},
    "demo": {*_LOOP, *_TABLE, "language", "ros", "sim", "viz"},
    "nodes": {*_LOOP, *_TABLE, "demo", "inference", "ros", "sim", "speech"},
}
"""What each package imports at most, next to modules outside of any package; `cli` imports all."""
WITH_ROS = {"nodes", "ros", "console", "demo"}


def _imports(path):
    """Return the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_packages_below(package):
    for path in (PACKAGE / package).rglob("*.py"):
        for module in _imports(path):
            parts = module.split(".")
            if parts[0] != "vlm_robot_ros" or len(parts) < 2 or not (PACKAGE / parts[1]).is_dir():
                continue
            assert parts[1] in {*MAY_IMPORT[package], package}, f"{path} imports {module}"


def test_every_package_is_listed():
    found = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found == {*MAY_IMPORT, "cli"}


def test_table_of_imports_has_no_cycle():
    done: set[str] = set()
    while ready := {name for name in MAY_IMPORT if name not in done and MAY_IMPORT[name] <= done}:
        done |= ready
    assert done == set(MAY_IMPORT)


def test_only_packages_for_ros_import_rclpy():
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in WITH_ROS:
            assert not any(module.split(".")[0] == "rclpy" for module in _imports(path)), path


def test_every_file_has_at_most_300_lines():
    paths = [
        path
        for folder in ("vlm_robot_ros", "test", "benchmarks", "scripts", "launch")
        for path in (PACKAGE.parent / folder).rglob("*.py")
    ]
    assert len(paths) > 300
    assert [path for path in paths if len(path.read_text().splitlines()) > 300] == []


@pytest.mark.parametrize("folder", ["benchmarks", "scripts", "launch", "docs"])
def test_scripts_import_names_that_the_package_has(folder):
    """Tests run few of them."""
    for path in (PACKAGE.parent / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = getattr(node, "module", None) or ""
            if not isinstance(node, ast.ImportFrom) or not module.startswith("vlm_robot_ros"):
                continue
            if module.endswith((".msg", ".srv")) or "launch" in module:
                continue
            names = vars(importlib.import_module(module))
            for alias in node.names:
                inside = (
                    importlib.util.find_spec(f"{module}.{alias.name}")
                    if (alias.name not in names)
                    else True
                )
                assert inside, f"{path}: {module} has no {alias.name}"


@pytest.mark.long
def test_few_files_lie_between_image_and_command_and_on_the_path_of_a_stop():
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    script = PACKAGE.parent / "scripts" / "trace_paths.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
