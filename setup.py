"""Install the ROS-free rooms and the `vlm-robot` command with pip; colcon reads CMakeLists.txt."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithShare(build_py):
    """Carry the shipped files along, inside the package."""

    def run(self) -> None:
        """Copy them to where `vlm_robot_ros.paths` looks for them."""
        super().run()
        for name in ("config", "checkpoints", "launch"):
            if (ROOT / name).is_dir():
                target = Path(self.build_lib) / "vlm_robot_ros" / "share" / name
                shutil.copytree(ROOT / name, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithShare})
