"""One arm of the robot that a policy node controls."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleNode

from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldReason
from vlm_robot_ros.interfaces.observation import ArmObservation, Observation
from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.command_publisher import CommandPublisher, create_sink, is_dry_run
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.observation_buffer import ObservationBuffer
from vlm_robot_ros.ros.policy_parameters import execution_settings
from vlm_robot_ros.runtime.chunk_executor import WAITING_FOR_CHUNK
from vlm_robot_ros.runtime.control_loop import ControlLoop, MotionGate
from vlm_robot_ros.runtime.loop_group import LoopGroup, hold_of_others
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

_EXTRA_STOP_TIME_S = 1.0
"""How much longer than by its limits an arm may take to come to a stand [s]."""


@dataclass
class PolicyArm:
    """What is known of an arm, and what moves it."""

    robot: RobotConfig
    observations: ObservationBuffer
    loop: ControlLoop
    commands: CommandPublisher
    reason: HoldReason = MAY_MOVE
    """Why it holds, if it does."""


def reason_of_others(
    arms: Sequence[PolicyArm], arm: PolicyArm, loop: ControlLoop | LoopGroup, now: float
) -> HoldReason:
    """Return why an arm holds with the others at `now` [s]; empty where it need not.

    An arm that holds with another one executes nothing that was planned before.
    """
    found = hold_of_others(
        [(each.robot.arm, each.loop.blocked or each.reason) for each in arms if each is not arm]
    )
    if found:
        arm.loop.clear_chunk(now)
    elif not loop.has_chunk(now):
        return WAITING_FOR_CHUNK
    return found


def with_other_arms(
    seen: Observation, others: Sequence[PolicyArm], stamp: float, now: float
) -> Observation | None:
    """Return what is seen with the states of other arms; None where one is not known.

    Args:
        seen: Of the first arm.
        others: The other arms.
        stamp: Of the newest image [s].
        now: [s]
    """
    found = dict[str, ArmObservation]()
    for arm in others:
        state = arm.observations.state_at(stamp, now)
        if state is None:
            return None
        pose = transform_to_pose7(arm.loop.kinematics.forward(state.joints))
        found[arm.robot.arm] = ArmObservation(pose, state.opening, state.joints)
    return replace(seen, others=found)


def common_loop(arms: Sequence[PolicyArm]) -> ControlLoop | LoopGroup:
    """Return what takes instructions, stops and goals for the arms."""
    return arms[0].loop if len(arms) == 1 else LoopGroup([arm.loop for arm in arms])


def output_facts(arms: Sequence[PolicyArm]) -> dict[str, object]:
    """Return how the output goes, by its names on /diagnostics."""
    return {
        "output_stops": sum(arm.commands.stops for arm in arms),
        "late_trajectories": sum(arm.commands.late for arm in arms),
    }


def all_monitors(arms: Sequence[PolicyArm]) -> list[StreamMonitor]:
    """Return what tells whether the streams of the arms can be relied on."""
    return [monitor for arm in arms for monitor in arm.observations.monitors]


def brake_to_stop(
    arms: Sequence[PolicyArm], first: float, period: float, step: Callable[[float], bool]
) -> None:
    """Brake, setpoint by setpoint, until the arms stand still, whichever of them fails.

    Args:
        arms: Of the robot.
        first: When the first setpoint is due [s].
        period: From each to the next [s].
        step: Sends the setpoints of a time [s]; returns whether an arm moves.
    """
    began, moment = time.monotonic(), first
    longest = max(arm.robot.max_stop_time for arm in arms) + _EXTRA_STOP_TIME_S
    # The setpoints that brake are due one a period. Simulated time is not received meanwhile.
    failure: Exception | None = None
    while moment - first < longest:
        try:
            if not step(moment):
                break
        except Exception as error:
            failure = failure or error
            if len(arms) == 1:
                break  # nothing is left to brake
        ticks = math.floor((time.monotonic() - began) / period) + 1
        moment = first + ticks * period
        time.sleep(max(0.0, began + moment - first - time.monotonic()))
    if failure is not None:
        raise failure


def stop_moving(arms: Sequence[PolicyArm]) -> None:
    """Publish a zero velocity for each arm whose last command moves it."""
    failure = None
    for arm in arms:
        try:
            if arm.commands.moving:
                arm.commands.stop()
        except Exception as error:  # the other arms stop first
            failure = failure or error
    if failure is not None:
        raise failure


def wait_for_acks(arms: Sequence[PolicyArm], seconds: float) -> None:
    """Wait until the last commands are acknowledged, `seconds` at most for each arm."""
    for arm in arms:
        arm.commands.wait_for_acks(seconds)


def subscribe(
    arms: Sequence[PolicyArm],
    entities: LifecycleEntities,
    transport: str,
    on_observation: Callable[[float], None],
) -> None:
    """Subscribe to cameras and joint states; see `ObservationBuffer.create_subscriptions`."""
    for arm in arms:
        call = on_observation if arm is arms[0] else lambda stamp: None
        arm.observations.create_subscriptions(entities, transport, call)


def create_arms(
    node: LifecycleNode,
    entities: LifecycleEntities,
    robot: RobotConfig,
    policy: SubprocessPolicy,
    values: Mapping[str, Any],
    gates: Sequence[MotionGate],
    now: Callable[[], float],
) -> list[PolicyArm]:
    """Return the arms of a robot with their publishers; nothing is subscribed to yet.

    Args:
        node: Whose clock and log are used.
        entities: Of the node, which destroys them.
        robot: The contract.
        policy: What decides.
        values: Of the node's parameters.
        gates: Whether each arm may move.
        now: Returns the node's time [s].
    """
    period, found = 1.0 / values["control_rate"], list[PolicyArm]()
    for arm, gate in zip(robot.arms, gates, strict=True):
        observations = ObservationBuffer(
            arm,
            [arm.camera(name) for name in policy.cameras] if arm is robot else [],
            values["image_timeout"] or arm.image_timeout,
            values["joint_state_timeout"] or arm.joint_state_timeout,
            node.get_clock(),
            node.get_logger().warning,
        )
        dry_run = is_dry_run(values["output"], arm)
        loop = ControlLoop(
            arm,
            period,
            observations.monitors,
            execution_settings(values, policy),
            [sink.kind for sink in arm.sinks],
            not dry_run and any(sink.traits.commands_arm for sink in arm.sinks),
            gate,
        )
        create = partial(create_sink, entities)
        commands = CommandPublisher(arm, period, create, dry_run, loop, now)
        entities.on_destroy(commands.close)
        found.append(PolicyArm(arm, observations, loop, commands))
    return found
