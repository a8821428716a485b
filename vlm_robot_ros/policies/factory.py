"""Policies by name: the one resolver of node, evaluation, demo and replay."""

import importlib
from pathlib import Path
from typing import Any

from vlm_robot_ros import plugins
from vlm_robot_ros.file_limits import read_json
from vlm_robot_ros.interfaces.policy import HoldPolicy, Policy
from vlm_robot_ros.models.checkpoint import CheckpointError, kind_of
from vlm_robot_ros.models.grounded.config import GroundedModelConfig
from vlm_robot_ros.paths import checkpoint_folder
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.policies.image_monitor import ImageGuard
from vlm_robot_ros.policies.remote.policy_address import is_remote
from vlm_robot_ros.policies.remote.remote_policy import connect_policy
from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.robot.config import RobotConfig

BUILT_IN_POLICIES = ("fusion", "hold", "blind")
"""Names of policies: of a checkpoint; one that holds; one that ignores what it is told."""


def policy_names() -> list[str]:
    """Return the names of policies that `load_policy` knows; it takes `module:Class`, too."""
    return [*BUILT_IN_POLICIES, *plugins.plugin_names(plugins.POLICIES)]


def check_policy_name(name: str) -> None:
    """Refuse a name that can name no policy.

    Raises:
        ValueError: as said.
    """
    if ":" not in name and name not in policy_names():
        raise ValueError(
            f"policy is '{name}'; valid: {', '.join(policy_names())}, module:Class, "
            "openpi://HOST, groot://HOST, lerobot-grpc://HOST/TYPE:PATH, or lerobot:PATH"
        )


def load_policy(
    name: str,
    robot: RobotConfig,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    faster: str = "",
    parser: str | Path = "",
    policy_map: str | Path = "",
    lerobot_python: str = "",
    detector: str = "",
    segmenter: str = "",
) -> Policy:
    """Load a policy by its name.

    Args:
        name: One of `policy_names`, `module:Class` of an importable module, the address of a
            server (see `openpi_url`), or a policy of LeRobot (see `LerobotProcess`).
        robot: The robot that it controls.
        checkpoint: Of `fusion` and `blind`: a folder; the shipped one if not given.
        device: Where `fusion` or LeRobot computes: see `parse_device`.
        faster: Optimizations of a fine-tuned policy: see `parse_optimizations`.
        parser: Of sentences, for `fusion`: see `load_sentence_parser`.
        policy_map: What a server's policy calls the robot's values: see `load_policy_map`.
        lerobot_python: An interpreter that has LeRobot.
        detector: Of phrases, for a checkpoint of transfers: see `load_detector`. What a sentence
            names is then found by it and by a depth camera.
        segmenter: Tells which pixels in a box are of a thing: see `HfSegmenter`.

    Raises:
        ValueError: there is no such policy, or an option is not for it.
        CheckpointError: the checkpoint is missing or corrupt, or does not fit the robot.
    """
    check_policy_name(name)
    if faster and name != "fusion":
        raise ValueError(
            f"faster is '{faster}', but policy is '{name}'; valid: none, or policy:=fusion with a "
            "fine-tuned checkpoint"
        )
    if parser and name != "fusion":
        raise ValueError(f"parser is '{parser}', but policy is '{name}'; valid: none, or fusion")
    if (detector or segmenter) and name != "fusion":
        raise ValueError(
            f"detector is '{detector}' and segmenter '{segmenter}', but policy is '{name}'; "
            "valid: none, or policy:=fusion with a checkpoint of transfers, such as libero"
        )
    if is_remote(name):
        return ImageGuard(connect_policy(name, policy_map, robot, device, lerobot_python))
    if policy_map:
        raise ValueError(
            f"map is '{policy_map}', but policy is '{name}'; valid: none, or the policy of a "
            "server or of LeRobot"
        )
    if name == "hold":
        return HoldPolicy()
    if name == "fusion":
        return load_checkpoint_policy(
            checkpoint_folder(checkpoint), robot, device, faster, parser, detector, segmenter
        )
    if name == "blind":
        from vlm_robot_ros.policies.language_ablation import LanguageBlindPolicy

        policy = GroundedPolicy(checkpoint_folder(checkpoint), device, any_object=True)
        return LanguageBlindPolicy(policy)
    return load_policy_class(name, robot)


def load_checkpoint_policy(
    checkpoint: Path,
    robot: RobotConfig,
    device: str = "cpu",
    faster: str = "",
    parser: str | Path = "",
    detector: str = "",
    segmenter: str = "",
) -> Policy:
    """Load a checkpoint folder.

    Args:
        checkpoint: The folder.
        robot: That is to act.
        device: Where to compute.
        faster: Ways to be faster, of a fine-tuned policy: see `parse_optimizations`.
        parser: Of sentences, where the checkpoint is not of `vlm-robot finetune`: see
            `load_sentence_parser`.
        detector: Of phrases, where the checkpoint is of transfers.
        segmenter: Beside a detector.

    Raises:
        CheckpointError: it is missing or corrupt, or does not fit the robot.
        ValueError: there are no such ways, the checkpoint takes no parser or detector, or the
            detector cannot be loaded.
    """
    if (detector or segmenter) and kind_of(checkpoint) != "transfer":
        raise ValueError(
            f"detector is '{detector}' and segmenter '{segmenter}', and '{checkpoint}' finds "
            "things itself; valid: none, or a checkpoint of transfers, such as libero"
        )
    if kind_of(checkpoint) == "direct":
        from vlm_robot_ros.inference.optimizations import parse_optimizations
        from vlm_robot_ros.policies.finetuned.policy import FinetunedPolicy  # encoders load slowly

        if parser:
            raise ValueError(
                f"parser is '{parser}', but '{checkpoint}' is of `vlm-robot finetune` and reads "
                "sentences itself; valid: none"
            )
        return ImageGuard(
            FinetunedPolicy(checkpoint, robot, device, parse_optimizations(faster, device))
        )
    if faster not in ("", "auto"):
        raise ValueError(
            f"faster is '{faster}', and '{checkpoint}' is not of `vlm-robot finetune`; valid: "
            "auto, or nothing"
        )
    if kind_of(checkpoint) == "transfer":
        from vlm_robot_ros.policies.transfer.loading import load_transfer_policy

        return ImageGuard(
            load_transfer_policy(checkpoint, robot, device, parser, detector, segmenter)
        )
    taught = read_json(checkpoint / "config.json").get("training", {}).get("taught", {})
    policy = GroundedPolicy(checkpoint, device, parser=load_sentence_parser(parser, taught))
    _check_depth(policy.model.config, robot, checkpoint)
    return policy


def _check_depth(config: GroundedModelConfig, robot: RobotConfig, checkpoint: Path) -> None:
    """Raise CheckpointError where a robot lacks the depth camera that a checkpoint needs."""
    if not config.depth:
        return
    colour = {camera.name: camera for camera in robot.colour_cameras}.get(config.camera)
    valid = [
        camera.name
        for camera in robot.cameras
        if camera.depth and colour and camera.frame == colour.frame and not camera.crop
    ]
    if config.depth not in valid or (colour and colour.crop):
        raise CheckpointError(
            f"'{checkpoint}' needs a depth camera '{config.depth}' in the frame of camera "
            f"'{config.camera}', both without a crop; robot '{robot.name}' has "
            f"{', '.join(valid) or 'none'}"
        )


def load_policy_class(name: str, robot: RobotConfig) -> Policy:
    """Return the policy that a user's class makes of a robot, watched for unusable images.

    One that is `ImageGuard` itself is not watched twice.

    Args:
        name: `module:Class`, or the name of an entry point of an installed package.
        robot: That is to act.

    Raises:
        ValueError: there is no such class, it fails, or what it makes is no policy.
    """
    try:
        made: Policy = _policy_class(name)(robot)
    except Exception as error:  # anybody's code
        raise ValueError(
            f"no policy of '{name}': {error!r}; valid: module:Class of an installed package or of "
            "a folder on PYTHONPATH, or the name of an entry point of group "
            f"{plugins.POLICIES}. The working directory is not "
            "searched: set PYTHONPATH=.:$PYTHONPATH for a "
            "module in it"
        ) from error
    parts = [part for part in vars(Policy) if not part.startswith("_")]
    missing = [part for part in parts if not hasattr(made, part)]
    if missing:
        raise ValueError(f"'{name}' has no {', '.join(missing)}; see interfaces/policy.py")
    return made if isinstance(made, ImageGuard) else ImageGuard(made)


def _policy_class(name: str) -> Any:
    if name in plugins.plugin_names(plugins.POLICIES):
        return plugins.load_plugin(plugins.POLICIES, name)
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def load_named(
    name: str, robot: RobotConfig, device: str = "cpu", policy_map: str | Path = ""
) -> Policy:
    """Return the policy of a name: a checkpoint's folder, `shipped`, or as for `load_policy`.

    Raises:
        ValueError: there is none.
    """
    folder = checkpoint_folder(name)
    if not folder.exists() and (":" in name or name in policy_names()):
        # A map is of the servers among several policies.
        return load_policy(
            name, robot, device=device, policy_map=policy_map if is_remote(name) else ""
        )
    return load_checkpoint_policy(folder, robot, device)
