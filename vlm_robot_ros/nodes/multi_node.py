"""Several of our nodes in one process: `composed policy_node recorder_node --ros-args ...`."""

import importlib
import sys

from vlm_robot_ros.ros.spin import spin_nodes

NODE_CLASSES = {
    "voice_node": "VoiceNode",
    "policy_node": "PolicyNode",
    "arm_sim_node": "ArmSimNode",
    "recorder_node": "RecorderNode",
}
"""In the order in which they end: what is said last is recorded, too."""


def main() -> int:
    """Run those named before `--ros-args`; a parameter is given as `-p node:name:=...`."""
    end = sys.argv.index("--ros-args") if "--ros-args" in sys.argv else len(sys.argv)
    names = sys.argv[1:end]
    unknown = [name for name in names if name not in NODE_CLASSES]
    if unknown or not names or len(set(names)) < len(names):
        print(
            f"nodes are '{' '.join(names)}'; valid: some of {', '.join(NODE_CLASSES)}",
            file=sys.stderr,
        )
        return 2
    names.sort(key=list(NODE_CLASSES).index)  # they end in this order
    makes = [
        getattr(importlib.import_module(f"vlm_robot_ros.nodes.{name}"), NODE_CLASSES[name])
        for name in names
    ]
    return spin_nodes(makes)
