"""Gives the demo's commands over the topics and judges what comes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.control.pilot import NO_PLAN
from vlm_robot_ros.evaluation.report import Result
from vlm_robot_ros.msg import EpisodeMark
from vlm_robot_ros.nodes.stage import STILL, Frame, Stage
from vlm_robot_ros.sim.judge import is_done
from vlm_robot_ros.sim.programme import Item

_TIME_LIMIT = 15.0
_MUST_LAST = 1.0  # a success counts when it has lasted so long [s]
_REFUSED = 4.0  # an arm that has held for one reason so long is not going to do it [s]
_STOP_LIMIT, _MOTION_LIMIT = 0.3, 0.02  # [s] and [m]


@dataclass
class Conductor:
    """Runs commands one by one; `film` gets the frames of each with its instruction."""

    stage: Stage
    film: Callable[[str, list[Frame]], None] | None = None

    def perform(self, item: Item) -> Result:
        """Give one command in its own scene."""
        stage = self.stage
        stage.new_scene(item.scene_seed)
        stage.frames = [] if self.film else None
        run = {"stop": self._stop}.get(item.family, self._task if item.task else self._refusal)
        stage.mark(EpisodeMark.BEGIN, item.instruction)
        result = run(item)
        stage.mark(EpisodeMark.SUCCESS if result.success else EpisodeMark.FAILURE)
        stage.mark(EpisodeMark.END)
        if self.film:
            self.film(result.instruction, stage.frames or [])
        stage.frames = None
        return result

    def _task(self, item: Item) -> Result:
        assert item.task is not None
        stage, task, scene = self.stage, item.task, item.scene
        start = stage.situation
        done_since: float | None = None
        stage.say(item.instruction)
        begun = stage.time
        reason, since = "", begun
        while stage.time < begun + _TIME_LIMIT:
            stage.pass_time(0.05)
            now = stage.action.hold_reason if stage.action is not None else ""
            if now != reason or now in ("", NO_PLAN):  # other waits say how long they last
                reason, since = now, stage.time
            elif done_since is None and stage.time - since > _REFUSED:
                break
            if not is_done(task, scene, start, stage.situation):
                done_since = None
            elif done_since is None:
                done_since = stage.time
            elif stage.time - done_since >= _MUST_LAST:
                break
        took = (done_since if done_since is not None else stage.time) - begun
        return self._result(item, is_done(task, scene, start, stage.situation), took)

    def _stop(self, item: Item) -> Result:
        """Say the item's instruction, and stop in the midst of what the arm does for it."""
        stage = self.stage
        begun = stage.time
        stage.say(item.instruction)
        while stage.time < begun + 3.0 and not self._is_moving():
            stage.pass_time(0.02)
        stage.pass_time(0.5)
        moving, said, place = self._is_moving(), stage.time, stage.tool
        stage.say("stop")
        still_since: float | None = None
        while stage.time < said + 2.0:
            stage.pass_time(0.02)
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

    def _refusal(self, item: Item) -> Result:
        stage = self.stage
        begun, place, farthest = stage.time, stage.tool, 0.0
        stage.say(item.instruction)
        while stage.time < begun + 4.0:
            stage.pass_time(0.05)
            farthest = max(farthest, float(np.linalg.norm(stage.tool - place)))
        action = stage.action
        heard = action is not None and action.hold and action.instruction == item.instruction
        success = heard and farthest < _MOTION_LIMIT
        result = self._result(item, success, stage.time - begun)
        result.motion = farthest
        return result

    def _result(self, item: Item, success: bool, took: float) -> Result:
        action, label = self.stage.action, self.stage.label
        return Result(
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
        return self.stage.state.joint_speed > STILL
