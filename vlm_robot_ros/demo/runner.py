"""Gives the demo's commands over the topics and judges what comes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.demo.script import DemoCommand
from vlm_robot_ros.demo.sim_client import STANDSTILL_SPEED, RecordedFrame, SimulationClient
from vlm_robot_ros.demo.summary import DemoResult
from vlm_robot_ros.msg import EpisodeMark
from vlm_robot_ros.runtime.chunk_executor import WAITING_FOR_CHUNK
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import is_done

_TIME_LIMIT_S = 15.0
_SUCCESS_DURATION_S = 1.0  # a success counts when it has lasted so long [s]
_REFUSAL_DURATION_S = 4.0  # an arm that has held for one reason so long is not going to do it [s]
_STOP_LIMIT, _MOTION_LIMIT = 0.3, 0.02  # [s] and [m]


@dataclass
class DemoRunner:
    """Runs commands one by one; `film` gets the frames of each with its instruction."""

    stage: SimulationClient
    film: Callable[[str, list[RecordedFrame]], None] | None = None

    def run_command(self, item: DemoCommand) -> DemoResult:
        """Give one command in its own scene."""
        stage = self.stage
        stage.new_scene(item.scene_seed)
        stage.frames = [] if self.film else None
        run = {"stop": self._stop}.get(item.family, self._task if item.task else self._refusal)
        stage.publish_episode_mark(EpisodeMark.BEGIN, item.instruction)
        result = run(item)
        stage.publish_episode_mark(EpisodeMark.SUCCESS if result.success else EpisodeMark.FAILURE)
        stage.publish_episode_mark(EpisodeMark.END)
        if self.film:
            self.film(result.instruction, stage.frames or [])
        stage.frames = None
        return result

    def _task(self, item: DemoCommand) -> DemoResult:
        """Say what is to be done, and what comes after it; wait until all of it is done."""
        assert item.task is not None
        stage, begun = self.stage, self.stage.time
        stage.publish_instruction(item.instruction)
        if item.then:
            self._wait_to_speak(item)
            stage.publish_instruction(item.then)
        success, took = self._wait_for(item.task, item)
        if success and item.next_task:
            success, _ = self._wait_for(item.next_task, item)
            took = stage.time - begun
        result = self._result(item, success, took)
        if item.then:
            result.instruction = f"{item.instruction} ... {item.then}"
        return result

    def _wait_to_speak(self, item: DemoCommand) -> None:
        """Wait until the arm asks, or moves so that it can be corrected."""
        stage, begun = self.stage, self.stage.time
        asks = item.family == "question"
        while stage.time < begun + _REFUSAL_DURATION_S:
            stage.wait_sim_time(0.05)
            action = stage.action
            if action is None or action.instruction != item.instruction:
                continue
            if action.hold_reason.endswith("?") if asks else self._is_moving():
                return

    def _wait_for(self, task: Task, item: DemoCommand) -> tuple[bool, float]:
        """Wait until a task is done and stays so; returns whether, and after how long [s]."""
        stage, scene, start = self.stage, item.scene, self.stage.world_state
        done_since: float | None = None
        begun = stage.time
        reason, since = "", begun
        while stage.time < begun + _TIME_LIMIT_S:
            stage.wait_sim_time(0.05)
            now = stage.action.hold_reason if stage.action is not None else ""
            if now != reason or now in (
                "",
                WAITING_FOR_CHUNK,
            ):  # other waits say how long they last
                reason, since = now, stage.time
            elif done_since is None and stage.time - since > _REFUSAL_DURATION_S:
                break
            if not is_done(task, scene, start, stage.world_state):
                done_since = None
            elif done_since is None:
                done_since = stage.time
            elif item.next_task is not None and task is item.task:
                break  # the arm goes on by itself
            elif stage.time - done_since >= _SUCCESS_DURATION_S:
                break
        took = (done_since if done_since is not None else stage.time) - begun
        return is_done(task, scene, start, stage.world_state), took

    def _stop(self, item: DemoCommand) -> DemoResult:
        """Say the item's instruction, and stop in the midst of what the arm does for it."""
        stage = self.stage
        begun = stage.time
        stage.publish_instruction(item.instruction)
        while stage.time < begun + 3.0 and not self._is_moving():
            stage.wait_sim_time(0.02)
        stage.wait_sim_time(0.5)
        moving, said, place = self._is_moving(), stage.time, stage.tool
        stage.publish_instruction("stop")
        still_since: float | None = None
        while stage.time < said + 2.0:
            stage.wait_sim_time(0.02)
            if self._is_moving():
                still_since = None
            elif still_since is None:
                still_since = stage.time
        took = (stage.time if still_since is None else still_since) - said
        result = self._result(item, moving and took <= _STOP_LIMIT, took)
        result.instruction = f"{item.instruction} ... stop"
        result.stop_time = took
        result.motion = float(np.linalg.norm(stage.tool - place))
        return result

    def _refusal(self, item: DemoCommand) -> DemoResult:
        stage = self.stage
        begun, place, farthest = stage.time, stage.tool, 0.0
        stage.publish_instruction(item.instruction)
        while stage.time < begun + 4.0:
            stage.wait_sim_time(0.05)
            farthest = max(farthest, float(np.linalg.norm(stage.tool - place)))
        action = stage.action
        heard = action is not None and action.hold and action.instruction == item.instruction
        success = heard and farthest < _MOTION_LIMIT
        result = self._result(item, success, stage.time - begun)
        result.motion = farthest
        return result

    def _result(self, item: DemoCommand, success: bool, took: float) -> DemoResult:
        action, label = self.stage.action, self.stage.label
        return DemoResult(
            instruction=item.instruction,
            family=item.family,
            label=label.label if label else "",
            success=success,
            seconds=round(took, 3),
            scene_seed=item.scene_seed,
            hold_reason=action.hold_reason if action else "",
        )

    def _is_moving(self) -> bool:
        assert self.stage.state is not None
        return self.stage.state.joint_speed > STANDSTILL_SPEED
