"""One episode of the obedience suite, from the case to what came of it."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner
from vlm_robot_ros.evaluation.conditions import make_episode_spec
from vlm_robot_ros.evaluation.episode_spec import EpisodeSpec, InstructionStep
from vlm_robot_ros.evaluation.scene_changes import disturbance, other_task_done
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.kinematics.kinematics import wrap_to_pi
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.skill import DIRECTIONS, Task, WorldState
from vlm_robot_ros.tasks.tasks import FAMILY, SKILL, is_done

_SUCCESS_DURATION_S = 0.8
"""A success counts when it has lasted so long [s]."""
_WATCH_DURATION_S = 4.0
"""How long an arm that shall stay is watched [s]."""
_ASK_DURATION_S, _STEP_MARGIN_S = 1.5, 3.0
"""How long an arm that shall ask is watched; what a later step may take longer [s]."""
STAYED, SETTLED = 0.02, 0.05
"""How far the tool of an arm may go that shall stay; that is to come to a stand [m]."""
_TURNED, _OPENED = np.deg2rad(5.0), 0.1
"""How far the tool of an arm that shall stay may turn, and its gripper move [rad, part]."""
_TOOL_MOTION_M = 0.01
"""How far the tool must have gone before a fault of the camera [m]."""


@dataclass(frozen=True)
class Outcome:
    """What came of one episode."""

    cell: str
    index: int
    family: str
    said: tuple[str, ...]
    asked: str
    """The skill of the last order, or "stay"."""
    did: str
    """The skill that was done, "other object" if to another, "nothing"."""
    label: str
    hold: str
    seconds: float
    moved: float
    """How far the tool went that should have stayed [m]."""
    disturbed: float
    """How far another thing went than those that the orders speak of [m]."""
    success: bool
    speed: float = 0.0
    """Largest measured joint speed, as a part of its limit."""
    outside: float = 0.0
    """How far a measured joint was outside its limits [rad]."""
    executed: tuple[float, ...] = ()
    """Largest velocity, acceleration and jerk that a trajectory controller executed, as parts of
    their limits; empty where there is none."""


def run_episode(
    sim: Simulator, policy: Policy, cell: str, seed: int, index: int, through: str = "action"
) -> tuple[Outcome, np.ndarray]:
    """Run one episode; returns its outcome and the last image, shape (H, W, 3), uint8."""
    case = replace(make_episode_spec(cell, seed, index), through=through)
    said = tuple(order.text for order in case.instructions)
    if case.program:
        outcome = _run_program(sim, policy, case)
    elif case.fault:
        outcome = _run_fault(sim, policy, case)
    elif case.correction:
        outcome = _run_correction(sim, policy, case)
    elif case.change is not None:
        outcome = _run_change(sim, policy, case)
    else:
        outcome, disturbed = {}, 0.0
        for order in case.instructions:
            outcome = _run_instruction(_start_episode(sim, policy, case), case, order)
            disturbed = max(disturbed, disturbance(sim, case.scene, [order.task]))
            if not outcome["success"]:
                break
        outcome["disturbed"] = disturbed
    if case.change is not None or case.correction:
        outcome["disturbed"] = (
            0.0
            if case.fault
            else disturbance(sim, case.scene, [order.task for order in case.instructions])
        )
    return Outcome(cell, index, case.family, said, **outcome), sim.render("front")


def crashed(cell: str, seed: int, index: int, error: Exception) -> Outcome:
    """Return the outcome of an episode that ended in an error: a failure that says so."""
    case = make_episode_spec(cell, seed, index)
    said, task = tuple(order.text for order in case.instructions), case.instructions[-1].task
    asked = task.skill if task else "stay"
    return Outcome(
        cell, index, case.family, said, asked, "crashed", "", repr(error), 0.0, 0.0, 0.0, False
    )


def _start_episode(sim: Simulator, policy: Policy, case: EpisodeSpec) -> ClosedLoopRunner:
    sim.reset(case.scene, np.array(sim.robot.home) + case.jitter[: len(sim.robot.joints)])
    if case.closed:
        sim.command_gripper(0.0)
        for _ in range(25):
            sim.step()
    return ClosedLoopRunner(sim, policy, case.through)


def _run_instruction(player: ClosedLoopRunner, case: EpisodeSpec, order: InstructionStep) -> dict:
    start = player.sim.world_state
    player.set_instruction(order.text)
    if order.task is None:
        moved, other = _watch(player, _WATCH_DURATION_S)
        stayed = moved <= STAYED and not other
        return _result(player, None, "stay" if stayed else "moved", _WATCH_DURATION_S, moved)
    return _run_task(player, case, order.task, start)


def _run_task(player: ClosedLoopRunner, case: EpisodeSpec, task: Task, start: WorldState) -> dict:
    limit_s = SKILL[task.skill].time_limit_s
    took, done = _run_until(player, case, [task], start, limit_s, _SUCCESS_DURATION_S)
    did = task.skill if done else other_task_done(player.sim, case.scene, task, start)
    return _result(player, task, did, took, 0.0)


def _run_until(
    player: ClosedLoopRunner,
    case: EpisodeSpec,
    tasks: Collection[Task],
    start: WorldState,
    limit_s: float,
    duration_s: float,
    stays: bool = True,
) -> tuple[float, bool]:
    """Let time pass until one of some tasks is done and stays so; returns time [s] and whether."""
    sim, since = player.sim, list[float]()

    def lasting() -> bool:
        now = sim.world_state
        before = start if stays else start._replace(tool=now.tool)
        if not any(is_done(task, case.scene, before, now) for task in tasks):
            since.clear()
            return False
        since.append(sim.time)
        return sim.time - since[0] >= duration_s - 1e-6

    took = player.run(limit_s, lasting)
    if since:  # what is done in time must still last
        took += player.run(duration_s, lasting)
    return took, lasting()


def _run_program(sim: Simulator, policy: Policy, case: EpisodeSpec) -> dict:
    """Say what is to be done, after what the arm must ask about, and watch step by step."""
    player = _start_episode(sim, policy, case)
    *asked, said = case.instructions
    first = next(iter(case.program[0])).skill
    for order in asked:
        player.set_instruction(order.text)
        moved, other = _watch(player, _ASK_DURATION_S)
        if moved > STAYED or other or not player.hold.endswith("?"):
            result = _result(player, None, "did not ask", _ASK_DURATION_S, moved)
            return {**result, "asked": first, "disturbed": 0.0}
    player.set_instruction(said.text)
    took, did, last = 0.0, "all of it", len(case.program) - 1
    for number, tasks in enumerate(case.program):
        start, one = sim.world_state, next(iter(tasks))
        limit_s = SKILL[one.skill].time_limit_s + _STEP_MARGIN_S * (number > 0)
        # The policy goes on by itself: only what is done last can last.
        duration_s = _SUCCESS_DURATION_S if number == last else 0.0
        # To open the gripper the arm need not stay where it was when the step before was done.
        stays = number == 0 or one.target is not None
        step_took, done = _run_until(player, case, tasks, start, limit_s, duration_s, stays)
        took += step_took
        if not done:
            did = f"step {number + 1}: {other_task_done(sim, case.scene, one, start)}"
            break
    result = _result(player, None, "stay", took, 0.0)
    every = [task for tasks in case.program for task in tasks]
    return {
        **result,
        "asked": first if last == 0 else f"{last + 1} steps",
        "did": did,
        "success": did == "all of it",
        "disturbed": disturbance(sim, case.scene, every),
    }


def _run_change(sim: Simulator, policy: Policy, case: EpisodeSpec) -> dict:
    player = _start_episode(sim, policy, case)
    player.set_instruction(case.instructions[0].text)
    assert case.change is not None
    player.run(case.change)
    return _run_instruction(player, case, case.instructions[1])


def _run_correction(sim: Simulator, policy: Policy, case: EpisodeSpec) -> dict:
    """Have a task done, and then what corrects it."""
    task = case.instructions[0].task
    assert task is not None
    assert task.target is not None
    player = _start_episode(sim, policy, case)
    first = sim.world_state
    player.set_instruction(case.instructions[0].text)
    _run_task(player, case, task, first)
    before = sim.world_state
    if not is_done(task, case.scene, first, before):
        return _result(player, task, "nothing", 0.0, 0.0)
    player.set_instruction(case.instructions[1].text)
    took = player.run(12.0 if case.correction == "undo" else 8.0)
    moved = sim.world_state.positions[task.target] - before.positions[task.target]
    left = sim.world_state.positions[task.target] - first.positions[task.target]
    if case.correction == "undo":
        turned = sim.yaws[task.target] - first.yaws[task.target]
        straight = abs(wrap_to_pi(turned)) < np.deg2rad(30)
        went = straight if FAMILY[task.skill] == "rotate" else float(np.linalg.norm(moved)) > 0.04
        done = went and float(np.linalg.norm(left)) < 0.045
        done = done and not is_done(task, case.scene, first, sim.world_state)
    else:
        along = float(moved[:2] @ DIRECTIONS[case.correction])
        done = 0.025 <= along <= 0.08 and float(np.linalg.norm(moved)) < 1.5 * along
    result = _result(player, None, "stay", took, 0.0)
    asked = "undo" if case.correction == "undo" else "nudge"
    return {**result, "asked": asked, "did": asked if done else "nothing", "success": bool(done)}


def _run_fault(sim: Simulator, policy: Policy, case: EpisodeSpec) -> dict:
    player = _start_episode(sim, policy, case)
    player.set_instruction(case.instructions[0].text)
    assert case.change is not None
    begun, _ = _watch(player, case.change)
    last = {camera: sim.observe(camera) for camera in policy.cameras}
    if case.fault == "blank":
        last = {camera: np.zeros_like(image) for camera, image in last.items()}
    player.camera = lambda name, image: last[name]
    moved, _ = _watch(player, 1.0)
    after, other = _watch(player, 2.0)
    stayed = moved <= SETTLED and after <= STAYED and not other
    # An arm that did not move before shows nothing by standing still.
    did = "nothing before" if begun < _TOOL_MOTION_M else "stay" if stayed else "moved"
    return _result(player, None, did, 3.0, max(moved, after))


def _watch(player: ClosedLoopRunner, seconds: float) -> tuple[float, bool]:
    """Let time pass.

    Returns:
        How far the tool got from where it was [m], and whether it turned or the gripper moved.
    """
    sim = player.sim
    place, yaw, opening = sim.tool_position, sim.tool_yaw, sim.opening
    ways, others = [0.0], [False]

    def look() -> bool:
        ways.append(float(np.linalg.norm(sim.tool_position - place)))
        turned = abs(float(wrap_to_pi(sim.tool_yaw - yaw))) > _TURNED
        others.append(turned or abs(sim.opening - opening) > _OPENED)
        return False

    player.run(seconds, look)
    look()
    return max(ways), any(others)


def _result(
    player: ClosedLoopRunner, task: Task | None, did: str, seconds: float, moved: float
) -> dict:
    asked = task.skill if task else "stay"
    return {
        "asked": asked,
        "did": did,
        "label": player.label,
        "hold": player.hold,
        "seconds": round(seconds, 2),
        "moved": round(moved, 4),
        "speed": round(player.speed, 4),
        "outside": round(player.outside, 4),
        "executed": player.executed,
        "success": asked == did,
    }
