"""A policy that was fine-tuned on recorded demonstrations, behind the seam."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from vlm_robot_ros.inference.optimizations import optimize_model, upload
from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.kinematics.action_encoding import from_vectors, to_vectors
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.models.checkpoint import CheckpointError, load_model, prepare_for_inference
from vlm_robot_ros.models.encoders.preprocess import resize_stretched
from vlm_robot_ros.models.finetuned.model import ChunkPredictor
from vlm_robot_ros.policies.delta_actions import add_pose_deltas
from vlm_robot_ros.robot.config import RobotConfig


class FinetunedPolicy:
    """Acts as demonstrated: each chunk from the last images, the words and the arm's state.

    Sentences that no demonstration was of are refused: the model would do something all the same.

    Whatever its demonstrations' actions are, tool poses come out: moves are added up from the tool
    on, joint positions go through the robot's kinematics.
    """

    def __init__(
        self,
        checkpoint: Path,
        robot: RobotConfig,
        device: str = "cpu",
        faster: Collection[str] = (),
    ) -> None:
        """Load a checkpoint folder.

        Args:
            checkpoint: Written by `vlm-robot finetune`.
            robot: That is to act.
            device: Where to compute.
            faster: Which of `faster.WAYS` to go; results are then not the same to the last bit.

        Raises:
            CheckpointError: it is missing, corrupt, of another kind, or needs more cameras.
        """
        model = load_model(checkpoint)
        if not isinstance(model, ChunkPredictor):
            raise CheckpointError(f"'{checkpoint}' was not made by `vlm-robot finetune`")
        self.model, self._device = prepare_for_inference(model, device), device
        self._robot, self._kinematics = robot, Kinematics(robot)
        count = model.config.joints
        if count and count != len(robot.joints):
            raise CheckpointError(
                f"'{checkpoint}' is for an arm of {count} joints, robot '{robot.name}' has "
                f"{len(robot.joints)}"
            )
        self.cameras = _cameras(model.config.cameras, robot, checkpoint)
        self._faster = faster
        self._plan = optimize_model(self.model, faster)
        self._taught = {_plain(sentence) for sentence in model.config.sentences}
        self.reset()
        self._warm_up()

    def reset(self) -> None:
        """Forget what was said."""
        self._said: str | None = None
        self._read: Tensor | None = None

    def next_instruction(self) -> None:
        """Nothing to expect: words are read when they are others."""

    @torch.inference_mode()
    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next."""
        model, config = self.model, self.model.config
        if _plain(observation.instruction) not in self._taught:
            problem = f"'{observation.instruction}' was not in the demonstrations"
            return hold_chunk(observation, config.step_dt, problem)
        if self._read is None or self._said != observation.instruction:
            self._said, self._read = (
                observation.instruction,
                model.encode_text([observation.instruction]),
            )
        state = self._state(observation)
        if state is None:
            return hold_chunk(observation, config.step_dt, "the joints' positions are not known")
        planned = self._plan(self._pixels(observation), self._read, state)
        vectors = model.actions(planned.actions)[0].float().cpu().numpy()
        if not np.isfinite(vectors).all():
            return hold_chunk(observation, config.step_dt, "the model's output is not finite")
        values, opening = from_vectors(ActionMode(config.mode), vectors)
        scores = planned.tasks[0].float().softmax(-1).tolist() if config.tasks else []
        label = config.tasks[int(np.argmax(scores))] if scores else ""
        return ActionChunk(
            ActionMode.END_EFFECTOR_POSE,
            self._poses(observation.pose, values),
            opening,
            config.step_dt,
            label,
            dict(zip(config.tasks, scores, strict=True)),
            max(scores, default=1.0),
            "",
            gripper_at_once=True,
        )

    def draw(self) -> np.ndarray | None:
        """Nothing is known of where it looks."""
        return None

    def _warm_up(self) -> None:
        """Answer once about nothing: torch loads much, for seconds, when it first computes."""
        grey, home = np.full((64, 64, 3), 128, np.uint8), np.array(self._robot.home)
        pose = transform_to_pose7(self._kinematics.forward(home))
        words = next(iter(self.model.config.sentences), "")
        images = dict.fromkeys(self.cameras, grey)
        self.infer(Observation(images, pose, 1.0, words, home))
        self.reset()

    def _pixels(self, observation: Observation) -> Tensor:
        """Return what the encoder takes of all cameras. Shape (1, cameras, 3, H, W)."""
        prepare = self.model.encoder.preprocess
        images = [
            upload(observation.images[name], self._device, self._faster)[None]
            for name in self.cameras
        ]
        return torch.stack([prepare(resize_stretched(each, prepare.size)) for each in images], 1)

    def _state(self, observation: Observation) -> Tensor | None:
        kind = self.model.config.state
        if kind is None:
            return torch.zeros(1, 1, device=self._device)
        values = observation.pose.copy()
        if kind == ActionMode.JOINT_POSITION:
            if observation.joints is None:
                return None
            # Older checkpoints take the joints padded to seven.
            missing = len(self.model.config.state_mean) - 1 - len(observation.joints)
            values = np.pad(observation.joints, (0, missing))
        elif not self.model.config.turns[1]:
            values[3:] = (0.0, 0.0, 0.0, 1.0)
        vector = to_vectors(ActionMode(kind), values[None], np.array([observation.opening]))
        return torch.tensor(vector, device=self._device)

    def _poses(self, pose: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return tool poses, shape (H, 7), of the contract's values."""
        mode = ActionMode(self.model.config.mode)
        if mode is ActionMode.END_EFFECTOR_POSE:
            if not self.model.config.turns[0]:
                values = np.concatenate([values[:, :3], np.tile(pose[3:], (len(values), 1))], 1)
            return values
        if mode is ActionMode.JOINT_POSITION:
            robot = self._robot
            joints = np.clip(values[:, : len(robot.joints)], robot.lower, robot.upper)
            return np.stack([transform_to_pose7(self._kinematics.forward(row)) for row in joints])
        return add_pose_deltas(pose, values[:, :3], Rotation.from_quat(values[:, 3:]))


def _plain(sentence: str) -> str:
    """Return a sentence without what does not change what it says."""
    return " ".join(re.sub(r"[^\w\s]", " ", sentence.lower()).split())


def _cameras(wanted: tuple[str, ...], robot: RobotConfig, checkpoint: Path) -> tuple[str, ...]:
    """Return the robot's cameras for the demonstrations': by the ends of their names.

    Where none of the names is a camera of the robot's, they are taken in order.
    """
    there = [camera.name for camera in robot.colour_cameras]
    ends = [name.replace("/", ".").rsplit(".", 1)[-1] for name in wanted]
    if len(set(ends)) == len(ends) and set(ends) <= set(there):
        return tuple(ends)
    if len(wanted) > len(there) or set(ends) & set(there):
        raise CheckpointError(
            f"'{checkpoint}' looks through {', '.join(wanted)}; robot '{robot.name}' has "
            f"{', '.join(there) or 'no camera'}: name the cameras of its contract alike"
        )
    return tuple(there[: len(wanted)])
