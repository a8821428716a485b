"""Parameters of the policy node, and the policy that they select."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.interfaces.policy import HoldPolicy, Policy
from vlm_robot_ros.paths import checkpoint_folder, user_path
from vlm_robot_ros.policies.remote.policy_address import is_remote
from vlm_robot_ros.provenance import checkpoint_hash
from vlm_robot_ros.robot.config import TRANSPORTS, RobotConfig
from vlm_robot_ros.ros.parameters import ParameterSpec
from vlm_robot_ros.runtime.execution_settings import (
    BLEND_S,
    JOINED_STEPS,
    MIN_CONFIDENCE,
    ExecutionSettings,
)
from vlm_robot_ros.runtime.takeover import TAKEOVER_TIMEOUT_S
from vlm_robot_ros.tasks.tasks import all_labels

REMOTE_RECONFIGURATION = "allow_remote_reconfiguration"
SHIPPED_CHECKPOINT = "shipped"
"""What the shipped checkpoint is called."""
PARAMETERS = (
    ParameterSpec(
        "robot",
        "panda_sim",
        "Robot contract: a name under config/arms, or the path of a YAML file",
    ),
    ParameterSpec(
        "policy",
        "fusion",
        "Policy: fusion (a checkpoint), hold, blind, module:Class, a registered name, a "
        "policy of LeRobot, lerobot:PATH, or the address of a server: openpi://HOST:PORT, "
        "groot://HOST:PORT or lerobot-grpc://HOST:PORT/TYPE:PATH",
    ),
    ParameterSpec(
        "map",
        "",
        "What a server's or LeRobot's policy calls the robot's values: droid, libero, lerobot, or "
        "the path of a .yaml",
    ),
    ParameterSpec(
        "lerobot_python",
        "",
        "Interpreter that has LeRobot, for policy:=lerobot:PATH; empty: that of the environment "
        "variable VLM_ROBOT_LEROBOT_PYTHON",
    ),
    ParameterSpec(
        "checkpoint",
        "",
        "Checkpoint folder of the policy, or `shipped`; empty: the shipped one, which a "
        "real arm with output:=live does not accept",
    ),
    ParameterSpec(
        "parser",
        "",
        "Sentence parser of the shipped kind of policy: a folder of `vlm-robot train-parser`, or "
        "`checkpoint` for the checkpoint's own words; empty: the shipped one",
    ),
    ParameterSpec(
        "detector",
        "",
        "Detector of phrases, with a checkpoint of transfers such as libero and a depth camera: "
        "hf:/folder or hf:ORG/NAME of an OWLv2, ..., or module:Class; empty: the checkpoint's own",
    ),
    ParameterSpec(
        "segmenter",
        "",
        "Segmenter of what the detector finds: hf:/folder or hf:ORG/NAME of a SAM 2",
    ),
    ParameterSpec(
        "encoder", "", "Encoder that labels images for policy:=hold: open_clip:..., hf:..."
    ),
    ParameterSpec("phrases", "", "Labels of the encoder, separated by |; empty: all task labels"),
    ParameterSpec(
        "calibration", "", "Calibration of the encoder: a file of `vlm-robot classify --fit`"
    ),
    ParameterSpec(
        "device",
        "auto",
        "Device of the policy; cuda:1 or 1 is the second GPU",
        valid=("auto", "cpu", "cuda"),
        digits=True,
        pattern=r"(cuda:)?\d+",
        pattern_description="cuda:N, N (number of a GPU)",
    ),
    ParameterSpec("threads", 1, "CPU threads of the policy", 1, 64),
    ParameterSpec(
        "faster",
        "",
        "Optimizations of a fine-tuned policy: auto, or some of bfloat16,channels_last,compile,"
        "pinned; actions then differ in the last bits",
    ),
    ParameterSpec(
        "policy_timeout",
        30.0,
        "Restart the policy process when it has not answered for this time [s]",
        1.0,
        3600.0,
    ),
    ParameterSpec(
        "replan_steps",
        -1,
        "Ask the policy again after this many steps of its last chunk; 0: at every image; -1: as "
        "the policy or its map says",
        -1,
        1000,
    ),
    ParameterSpec(
        "image_transport",
        "contract",
        "Image transport; contract: as the contract says for each camera",
        valid=("contract", *TRANSPORTS),
    ),
    ParameterSpec(
        "output",
        "auto",
        "Whether the node sends commands: live, dry (none), or auto (simulated arms only)",
        valid=("auto", "live", "dry"),
    ),
    ParameterSpec("control_rate", 50.0, "Rate of the control loop [Hz]", 5.0, 500.0),
    ParameterSpec(
        "ensemble",
        0.0,
        "Temporal ensembling: weight of a chunk relative to the next newer one; 0: newest only",
        0.0,
        1.0,
    ),
    ParameterSpec(
        "joined_steps",
        -1,
        "Real-time chunking: steps that merge a new chunk with the previous one; 0: none; -1: as "
        f"the policy or its map says, else {JOINED_STEPS}",
        -1,
        100,
    ),
    ParameterSpec(
        "blend", BLEND_S, "Time in which the arm passes from one chunk to the next [s]", 0.0, 1.0
    ),
    ParameterSpec(
        "image_timeout",
        0.0,
        "The arm holds when the newest image is older [s]; 0: the contract's image_timeout",
        0.0,
        10.0,
    ),
    ParameterSpec(
        "joint_state_timeout",
        0.0,
        "The arm holds when the newest joint state is older [s]; 0: the contract's value",
        0.0,
        10.0,
    ),
    ParameterSpec(
        "instruction_timeout",
        600.0,
        "The arm holds when the instruction is older [s]; 0: never",
        0.0,
        1e6,
    ),
    ParameterSpec(
        "takeover_timeout",
        TAKEOVER_TIMEOUT_S,
        "The policy has the arm again when a person has sent nothing on ~/takeover/... for this "
        "time [s]; 0: nobody can take the arm over",
        0.0,
        10.0,
    ),
    ParameterSpec(
        "min_confidence",
        MIN_CONFIDENCE,
        "The arm holds for a chunk of lower confidence",
        0.0,
        1.0,
        dynamic=True,
    ),
    ParameterSpec(
        "thread_priority",
        40,
        "SCHED_FIFO priority of the control thread, where the system grants it; 0: none",
        0,
        99,
    ),
    ParameterSpec("autostart", True, "Configure and activate the node at its start"),
    ParameterSpec(
        REMOTE_RECONFIGURATION,
        False,
        "Whether peers may change the parameters that choose code, files and hardware while the "
        "node is not configured",
    ),
)
CODE_SELECTING_PARAMETERS = (
    "robot", "policy", "map", "lerobot_python", "checkpoint", "parser", "detector", "segmenter",
    "encoder", "calibration", "output",
)  # fmt: skip
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


def asks_another_process(values: Values) -> bool:
    """Tell whether the policy is of a server, or of LeRobot."""
    return is_remote(values["policy"])


def execution_settings(values: Values, policy: SubprocessPolicy) -> ExecutionSettings:
    """Return how chunks are executed, by the parameters and by what the policy wants."""
    given = {name: values[name] for name in ExecutionSettings.__dataclass_fields__}
    if given["joined_steps"] < 0:
        given["joined_steps"] = JOINED_STEPS if policy.joined_steps < 0 else policy.joined_steps
    return ExecutionSettings(**given)


def worker_thread_priority(values: Values) -> int:
    """Return the priority of DDS receivers and policy process: one below the control thread."""
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
    device, name, encoder = values["device"], values["policy"], values["encoder"]
    if not is_remote(name):  # another process may have other devices
        device = parse_device(device)
    if encoder and name != "hold":
        raise ValueError(
            f"encoder is '{encoder}', but policy '{name}' has labels of its own; valid: none, or "
            "policy:=hold"
        )
    if not encoder:
        policy = factory.load_policy(
            name,
            robot,
            values["checkpoint"],
            device,
            values["faster"],
            values["parser"],
            values["map"],
            values["lerobot_python"],
            values["detector"],
            values["segmenter"],
        )
        longest = getattr(policy, "timeout", 0.0)
        if longest >= values["policy_timeout"]:
            raise ValueError(
                f"policy_timeout is {values['policy_timeout']:g} s, and an answer may take "
                f"{longest:g} s with the map's timeout; valid: more than that"
            )
        return policy
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
