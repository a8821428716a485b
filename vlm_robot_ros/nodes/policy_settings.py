"""What can be set at the policy node, and the policy that the settings ask for."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vlm_robot_ros.contract.robot import TRANSPORTS, Robot
from vlm_robot_ros.control.pilot import BLEND, JOINED_STEPS, MIN_CONFIDENCE
from vlm_robot_ros.nodes.parameters import Spec
from vlm_robot_ros.paths import shipped_checkpoint, user_path
from vlm_robot_ros.policy.apart import PolicyApart
from vlm_robot_ros.policy.base import HoldPolicy, Policy
from vlm_robot_ros.provenance import checkpoint_hash
from vlm_robot_ros.sim.tasks import all_labels

RECONFIGURATION = "allow_remote_reconfiguration"
SHIPPED = "shipped"
"""What the shipped checkpoint is called."""
PARAMETERS = (
    Spec("robot", "panda_sim", "Contract: a name under config/arms, or a path of a .yaml"),
    Spec("policy", "fusion", "Which policy acts: fusion, hold, or module:Class of your own"),
    Spec(
        "checkpoint",
        "",
        "Checkpoint folder of a learned policy, or shipped; empty: the shipped one, "
        "but not for a real arm",
    ),
    Spec(
        "encoder", "", "For labels of what is seen, where a policy has none: open_clip:..., hf:..."
    ),
    Spec("phrases", "", "What it may be, separated by |; empty: config/tasks.yaml"),
    Spec("calibration", "", "File of `vlm-robot score --fit`, for the encoder"),
    Spec(
        "device",
        "auto",
        "Where the policy computes: auto, cpu, cuda, cuda:1 or 1 for the second GPU",
        valid=("auto", "cpu", "cuda"),
        digits=True,
        form=r"(cuda:)?\d+",
        form_name="cuda:N, N (number of a GPU)",
    ),
    Spec("threads", 1, "CPU threads of the policy", 1, 64),
    Spec("faster", "", "Of a fine-tuned policy: auto, or bfloat16,channels_last,compile,pinned"),
    Spec("policy_timeout", 30.0, "Begin the policy anew after no answer for [s]", 1.0, 3600.0),
    Spec(
        "image_transport",
        "contract",
        "How images come; contract: as the arm's says for each",
        valid=("contract", *TRANSPORTS),
    ),
    Spec(
        "output",
        "auto",
        "Whether the contract's sinks are fed; auto: only those of a simulated arm",
        valid=("auto", "live", "dry"),
    ),
    Spec("control_rate", 50.0, "Rate of the actions [Hz]", 5.0, 500.0),
    Spec("ensemble", 0.0, "What a plan counts, as a part of what the next newer counts", 0.0, 1.0),
    Spec(
        "joined_steps",
        JOINED_STEPS,
        "Of a plan, to go over to it from the one before",
        0,
        100,
    ),
    Spec("blend", BLEND, "Time to pass from one plan to the next [s]", 0.0, 1.0),
    Spec(
        "image_timeout",
        0.0,
        "Hold when the newest image is older [s]; 0: as the contract says",
        0.0,
        10.0,
    ),
    Spec(
        "joint_state_timeout",
        0.0,
        "Hold when the newest joint state is older [s]; 0: as the contract says",
        0.0,
        10.0,
    ),
    Spec("instruction_timeout", 600.0, "Hold when the words are older [s]; 0: never", 0.0, 1e6),
    Spec(
        "min_confidence",
        MIN_CONFIDENCE,
        "Hold when the policy is less sure what is asked; can be changed at any time",
        0.0,
        1.0,
        live=True,
    ),
    Spec("thread_priority", 40, "Of SCHED_FIFO, where the system grants it; 0: none", 0, 99),
    Spec("autostart", True, "Configure and activate at the start"),
    Spec(
        RECONFIGURATION,
        False,
        "Whether the parameters that choose code, files and hardware may be changed after the "
        "start, while the node is not configured: by any peer on the network",
    ),
)
CHOOSING = ("robot", "policy", "checkpoint", "encoder", "calibration", "output")
"""Parameters that choose code, files or hardware."""


Values = Mapping[str, Any]
"""Of the parameters, by their names."""


def start_policy(values: Values, robot: Robot) -> PolicyApart:
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
    return PolicyApart(make, values["policy_timeout"], second_priority(values))


def second_priority(values: Values) -> int:
    """Return the real-time priority of whom the tick's thread hears and asks; it comes first."""
    return max(int(values["thread_priority"]) - 1, 0)


def load_policy(values: Values, robot: Robot) -> Policy:
    """Return the policy that the parameters ask for.

    Raises:
        CheckpointError: its checkpoint cannot be used.
        EncoderError: there is no such encoder.
        ValueError: there is no such policy, its device is not there, or the phrases or their
            calibration are not valid.
    """
    import torch  # only where the policy thinks: the node can do without

    from vlm_robot_ros.device import chosen_device
    from vlm_robot_ros.policy.load import load_learned, load_own
    from vlm_robot_ros.policy.registry import registered_policies

    torch.set_num_threads(values["threads"])
    device, name = chosen_device(values["device"]), values["policy"]
    if values["faster"] and name != "fusion":
        raise ValueError(
            f"faster is '{values['faster']}', but policy is '{name}'; valid: none, or "
            "policy:=fusion with a fine-tuned checkpoint"
        )
    if name not in ("fusion", "hold"):
        if ":" in name or name in registered_policies():
            return load_own(name, robot)
        named = ", ".join(("fusion", "hold", *registered_policies()))
        raise ValueError(f"policy is '{name}'; valid: {named}, module:Class")
    if name == "fusion":
        if values["encoder"]:
            raise ValueError(
                f"encoder is '{values['encoder']}', but the fusion policy has labels of its own; "
                "valid: none, or policy:=hold"
            )
        return load_learned(_checkpoint(values), robot, device, values["faster"])
    if not values["encoder"]:
        return HoldPolicy()
    from vlm_robot_ros.policy.labelled import label_with  # it loads slowly

    given = values["phrases"]
    phrases = [phrase.strip() for phrase in given.split("|")] if given else all_labels()
    camera, path = robot.colour_cameras[0].name, values["calibration"]
    calibration = user_path(path) if path else None
    return label_with(HoldPolicy(), camera, values["encoder"], phrases, calibration, device)


def describe_checkpoint(values: Values) -> str:
    """Return folder and hash of the checkpoint that the parameters ask for, or nothing."""
    if values["policy"] != "fusion":
        return ""
    folder = _checkpoint(values)
    return f"{folder.resolve()} {checkpoint_hash(folder)}"


def _checkpoint(values: Values) -> Path:
    given = values["checkpoint"]
    return shipped_checkpoint() if given in ("", SHIPPED) else user_path(given)
