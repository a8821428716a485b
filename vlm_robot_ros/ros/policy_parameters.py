"""What can be set at the policy node, and the policy that the settings ask for."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.interfaces.policy import HoldPolicy, Policy
from vlm_robot_ros.paths import checkpoint_folder, user_path
from vlm_robot_ros.provenance import checkpoint_hash
from vlm_robot_ros.robot.config import TRANSPORTS, RobotConfig
from vlm_robot_ros.ros.parameters import ParameterSpec
from vlm_robot_ros.runtime.chunk_executor import BLEND_S, JOINED_STEPS, MIN_CONFIDENCE
from vlm_robot_ros.tasks.tasks import all_labels

REMOTE_RECONFIGURATION = "allow_remote_reconfiguration"
SHIPPED_CHECKPOINT = "shipped"
"""What the shipped checkpoint is called."""
PARAMETERS = (
    ParameterSpec(
        "robot", "panda_sim", "Contract: a name under config/arms, or a path of a .yaml"
    ),
    ParameterSpec(
        "policy",
        "fusion",
        "Which policy acts: fusion, hold, blind, module:Class, or a name that a package registers",
    ),
    ParameterSpec(
        "checkpoint",
        "",
        "Checkpoint folder of a learned policy, or shipped; empty: the shipped one, "
        "but not for a real arm",
    ),
    ParameterSpec(
        "encoder", "", "For labels of what is seen, where a policy has none: open_clip:..., hf:..."
    ),
    ParameterSpec("phrases", "", "What it may be, separated by |; empty: config/tasks.yaml"),
    ParameterSpec("calibration", "", "File of `vlm-robot classify --fit`, for the encoder"),
    ParameterSpec(
        "device",
        "auto",
        "Where the policy computes: auto, cpu, cuda, cuda:1 or 1 for the second GPU",
        valid=("auto", "cpu", "cuda"),
        digits=True,
        pattern=r"(cuda:)?\d+",
        pattern_description="cuda:N, N (number of a GPU)",
    ),
    ParameterSpec("threads", 1, "CPU threads of the policy", 1, 64),
    ParameterSpec(
        "faster", "", "Of a fine-tuned policy: auto, or bfloat16,channels_last,compile,pinned"
    ),
    ParameterSpec(
        "policy_timeout", 30.0, "Begin the policy anew after no answer for [s]", 1.0, 3600.0
    ),
    ParameterSpec(
        "image_transport",
        "contract",
        "How images come; contract: as the arm's says for each",
        valid=("contract", *TRANSPORTS),
    ),
    ParameterSpec(
        "output",
        "auto",
        "Whether the contract's sinks are fed; auto: only those of a simulated arm",
        valid=("auto", "live", "dry"),
    ),
    ParameterSpec("control_rate", 50.0, "Rate of the actions [Hz]", 5.0, 500.0),
    ParameterSpec(
        "ensemble", 0.0, "What a plan counts, as a part of what the next newer counts", 0.0, 1.0
    ),
    ParameterSpec(
        "joined_steps",
        JOINED_STEPS,
        "Of a plan, to go over to it from the one before",
        0,
        100,
    ),
    ParameterSpec("blend", BLEND_S, "Time to pass from one plan to the next [s]", 0.0, 1.0),
    ParameterSpec(
        "image_timeout",
        0.0,
        "Hold when the newest image is older [s]; 0: as the contract says",
        0.0,
        10.0,
    ),
    ParameterSpec(
        "joint_state_timeout",
        0.0,
        "Hold when the newest joint state is older [s]; 0: as the contract says",
        0.0,
        10.0,
    ),
    ParameterSpec(
        "instruction_timeout", 600.0, "Hold when the words are older [s]; 0: never", 0.0, 1e6
    ),
    ParameterSpec(
        "min_confidence",
        MIN_CONFIDENCE,
        "Hold when the policy is less sure what is asked; can be changed at any time",
        0.0,
        1.0,
        dynamic=True,
    ),
    ParameterSpec(
        "thread_priority", 40, "Of SCHED_FIFO, where the system grants it; 0: none", 0, 99
    ),
    ParameterSpec("autostart", True, "Configure and activate at the start"),
    ParameterSpec(
        REMOTE_RECONFIGURATION,
        False,
        "Whether the parameters that choose code, files and hardware may be changed after the "
        "start, while the node is not configured: by any peer on the network",
    ),
)
CODE_SELECTING_PARAMETERS = ("robot", "policy", "checkpoint", "encoder", "calibration", "output")
"""Parameters that choose code, files or hardware."""


Values = Mapping[str, Any]
"""Of the parameters, by their names."""


def create_policy(values: Values, robot: RobotConfig) -> SubprocessPolicy:
    """Return the policy that the parameters ask for, in a process of its own.

    Raises:
        ValueError: it cannot be loaded; says why.
    """
    live = values["output"] == "live" and not robot.simulated
    if live and values["policy"] == "fusion" and not values["checkpoint"]:
        raise ValueError(
            f"output is 'live' and no checkpoint is given, but '{robot.name}' is a real arm, and "
            "the shipped policy knows the simulated table only; valid: checkpoint:=FOLDER of your "
            "own, or checkpoint:=shipped if that is what you want"
        )
    make = partial(load_policy, values, robot)
    return SubprocessPolicy(make, values["policy_timeout"], worker_thread_priority(values))


def worker_thread_priority(values: Values) -> int:
    """Return the real-time priority of whom the tick's thread hears and asks; it comes first."""
    return max(int(values["thread_priority"]) - 1, 0)


def load_policy(values: Values, robot: RobotConfig) -> Policy:
    """Return the policy that the parameters ask for.

    Raises:
        CheckpointError: its checkpoint cannot be used.
        EncoderError: there is no such encoder.
        ValueError: there is no such policy, its device is not there, or the phrases or their
            calibration are not valid.
    """
    import torch  # only where the policy thinks: the node can do without

    from vlm_robot_ros.device import parse_device
    from vlm_robot_ros.policies import factory

    torch.set_num_threads(values["threads"])
    device, name, encoder = parse_device(values["device"]), values["policy"], values["encoder"]
    if encoder and name != "hold":
        raise ValueError(
            f"encoder is '{encoder}', but policy '{name}' has labels of its own; valid: none, or "
            "policy:=hold"
        )
    if not encoder:
        return factory.load_policy(name, robot, values["checkpoint"], device, values["faster"])
    from vlm_robot_ros.policies.zero_shot_labels import with_zero_shot_labels  # it loads slowly

    given = values["phrases"]
    phrases = [phrase.strip() for phrase in given.split("|")] if given else all_labels()
    camera, path = robot.colour_cameras[0].name, values["calibration"]
    calibration = user_path(path) if path else None
    return with_zero_shot_labels(
        HoldPolicy(), camera, values["encoder"], phrases, calibration, device
    )


def describe_checkpoint(values: Values) -> str:
    """Return folder and hash of the checkpoint that the parameters ask for, or nothing."""
    if values["policy"] != "fusion":
        return ""
    folder = checkpoint_folder(values["checkpoint"])
    return f"{folder.resolve()} {checkpoint_hash(folder)}"
