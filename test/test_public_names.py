"""The public Python names, and those of the last version."""

import importlib
import subprocess
import sys
import warnings

import pytest

import vlm_robot_ros as vr
from vlm_robot_ros.deprecated_names import deprecated_names

_NEEDS_ROS = ("nodes", "ros", "sinks", "console", "demo")


def test_public_names_load_and_are_documented():
    assert 20 <= len(vr.__all__) <= 30
    for name in vr.__all__:
        assert getattr(vr, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        vr.load_everything  # noqa: B018


def test_importing_the_package_loads_none_of_its_libraries():
    code = (
        "import sys, vlm_robot_ros; sys.exit(bool({'torch', 'numpy', 'rclpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("old", "new"), deprecated_names().items())
def test_old_name_leads_to_the_new_one(old, new):
    module, _, name = old.partition(":")
    target, _, new_name = new.partition(":")
    if target.split(".")[1] in _NEEDS_ROS:
        pytest.importorskip("rclpy")
    if target.endswith("policy_launch"):
        pytest.importorskip("launch_ros")
    sys.modules.pop(module, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = importlib.import_module(module)
    assert any(f"{module} is now" in str(each.message) for each in caught)
    if name:
        assert getattr(found, name) is getattr(importlib.import_module(target), new_name)
