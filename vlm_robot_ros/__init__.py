"""An arm that does what a person says: vision, language and action over ROS 2.

The names below are the public Python interface; `import vlm_robot_ros as vr`. They are loaded when
they are first used.
"""

import importlib

# The generated messages (`vlm_robot_ros.msg`) are installed by colcon, in another folder than a
# source checkout or a `pip install`; this joins the folders, whichever is found first.
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from vlm_robot_ros.deprecated_names import find_old_modules

__path__ = extend_path(__path__, __name__)
__version__ = "0.2.0"

if TYPE_CHECKING:
    from vlm_robot_ros.bags.recording import read_recording as read_recording
    from vlm_robot_ros.bags.replay import replay as replay
    from vlm_robot_ros.data.dataset import EpisodeDataset as EpisodeDataset
    from vlm_robot_ros.data.dataset import open_data_folder as open_dataset  # noqa: F401
    from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner as ClosedLoopRunner
    from vlm_robot_ros.evaluation.suite import SuiteConfig as SuiteConfig
    from vlm_robot_ros.evaluation.suite import run_suite as evaluate  # noqa: F401
    from vlm_robot_ros.interfaces.action import ActionChunk as ActionChunk
    from vlm_robot_ros.interfaces.action import ActionMode as ActionMode
    from vlm_robot_ros.interfaces.hold import HoldCode as HoldCode
    from vlm_robot_ros.interfaces.hold import HoldReason as HoldReason
    from vlm_robot_ros.interfaces.observation import Observation as Observation
    from vlm_robot_ros.interfaces.policy import HoldPolicy as HoldPolicy
    from vlm_robot_ros.interfaces.policy import Policy as Policy
    from vlm_robot_ros.interfaces.policy import hold_chunk as hold_chunk
    from vlm_robot_ros.interfaces.robot_state import RobotState as RobotState
    from vlm_robot_ros.kinematics.kinematics import Kinematics as Kinematics
    from vlm_robot_ros.models.encoders.registry import load_encoder as load_encoder
    from vlm_robot_ros.policies.factory import load_policy as load_policy
    from vlm_robot_ros.robot.config import RobotConfig as RobotConfig
    from vlm_robot_ros.robot.loader import load_robot as load_robot
    from vlm_robot_ros.runtime.control_loop import ControlLoop as ControlLoop
    from vlm_robot_ros.runtime.execution_settings import ExecutionSettings as ExecutionSettings
    from vlm_robot_ros.sim.simulator import Simulator as Simulator
    from vlm_robot_ros.tasks.scene import sample_scene as sample_scene

_PUBLIC = {
    "ActionChunk": "interfaces.action:ActionChunk",
    "ActionMode": "interfaces.action:ActionMode",
    "ClosedLoopRunner": "evaluation.closed_loop:ClosedLoopRunner",
    "ControlLoop": "runtime.control_loop:ControlLoop",
    "EpisodeDataset": "data.dataset:EpisodeDataset",
    "ExecutionSettings": "runtime.execution_settings:ExecutionSettings",
    "HoldCode": "interfaces.hold:HoldCode",
    "HoldPolicy": "interfaces.policy:HoldPolicy",
    "HoldReason": "interfaces.hold:HoldReason",
    "Kinematics": "kinematics.kinematics:Kinematics",
    "Observation": "interfaces.observation:Observation",
    "Policy": "interfaces.policy:Policy",
    "RobotConfig": "robot.config:RobotConfig",
    "RobotState": "interfaces.robot_state:RobotState",
    "Simulator": "sim.simulator:Simulator",
    "SuiteConfig": "evaluation.suite:SuiteConfig",
    "evaluate": "evaluation.suite:run_suite",
    "hold_chunk": "interfaces.policy:hold_chunk",
    "load_encoder": "models.encoders.registry:load_encoder",
    "load_policy": "policies.factory:load_policy",
    "load_robot": "robot.loader:load_robot",
    "open_dataset": "data.dataset:open_data_folder",
    "read_recording": "bags.recording:read_recording",
    "replay": "bags.replay:replay",
    "sample_scene": "tasks.scene:sample_scene",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return value


def __dir__() -> list[str]:
    """Return the public names, too."""
    return sorted({*globals(), *_PUBLIC})


find_old_modules()
