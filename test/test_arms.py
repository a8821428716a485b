"""The arms that can be simulated: their contracts fit the physics, and the policy drives them."""

import numpy as np
import pytest

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.evaluation.run_episode import run_episode
from vlm_robot_ros.kinematics.kinematics import tool_yaw, transform_to_pose7
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.arms import TOOL_OFFSET
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.scene import sample_scene


@pytest.fixture(params=["panda", "ur5e", "kinova3", "xarm7", "iiwa", "sawyer"], scope="module")
def sim(request):
    made = Simulator(load_robot(f"{request.param}_sim"))
    yield made
    made.close()


def test_a_contract_has_the_joints_and_frames_of_the_physics(sim):
    sim.reset(sample_scene(np.random.default_rng(0)))
    rng = np.random.default_rng(1)
    robot = sim.robot
    for _ in range(3):
        near = np.array(robot.home) + rng.normal(0, 0.1, len(robot.joints))
        sim.command_joints(near)
        for _ in range(100):
            sim.step()
        hand = sim._data.body("right_hand")
        tip = hand.xpos + hand.xmat.reshape(3, 3)[:, 2] * TOOL_OFFSET
        assert sim.tool_position == pytest.approx(tip, abs=1e-3)
        assert sim.joint_positions == pytest.approx(near, abs=0.01)


def test_a_joint_that_was_held_back_catches_up_within_its_speed_limit(sim):
    sim.reset(sample_scene(np.random.default_rng(0)))
    robot, forces = sim.robot, sim._data.qfrc_applied
    goal = np.array(robot.home)
    goal[3] += 0.4
    sim.command_joints(goal)
    for _ in range(30):
        forces[sim._arm_speeds[3]] = (
            -2 * robot.servos.torque[3] * (sim.joint_positions[3] > robot.home[3])
        )
        sim.step()
    assert sim.joint_positions[3] < robot.home[3] + 0.1
    forces[:] = 0.0
    fastest = np.zeros(len(goal))
    for _ in range(100):
        sim.step()
        fastest = np.maximum(fastest, np.abs(sim.joint_velocities))
    assert sim.joint_positions == pytest.approx(goal, abs=0.01)
    assert fastest[3] > 0.5 * robot.velocity[3]
    assert np.all(fastest <= robot.velocity)


def test_every_arm_waits_with_its_tool_in_the_same_place(sim):
    tool = sim.kinematics.forward(np.array(sim.robot.home))
    assert tool[:3, 3] == pytest.approx([0.457, 0.0, 0.345], abs=0.002)
    assert tool_yaw(transform_to_pose7(tool)) == pytest.approx(0.0, abs=0.01)
    assert tool[:3, 2] == pytest.approx([0, 0, -1], abs=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("through", ["joint_trajectory", "pose", "twist"])
def test_the_shipped_policy_drives_every_arm_within_its_limits(sim, shipped, through):
    policy = load_checkpoint_policy(shipped, sim.robot)
    # Picking up and pushing; one may fail, as one in forty does.
    outcomes = [run_episode(sim, policy, "seen", 81, index, through)[0] for index in (0, 1)]
    assert any(outcome.success for outcome in outcomes), outcomes
    assert max(outcome.speed for outcome in outcomes) <= 1.0
    assert max(outcome.outside for outcome in outcomes) <= 0.0


def test_the_policy_drives_an_arm_of_no_model_nowhere(tmp_path):
    import yaml

    from vlm_robot_ros.paths import config_dir
    from vlm_robot_ros.robot.loader import parse_robot

    content = yaml.safe_load((config_dir() / "arms" / "ur5e_sim.yaml").read_text())
    with pytest.raises(ValueError, match="got 'ur99'; it must be '' for a real arm, a mapping"):
        parse_robot({**content, "simulation": "ur99"})
    with pytest.raises(ValueError, match=r"simulation 'isaac'; valid: a mapping .*panda"):
        Simulator(parse_robot({**content, "simulation": "isaac"}))
    servos = content["simulation"]
    with pytest.raises(
        ValueError, match=r"'ur99'; valid: a mapping with the model .one of .*panda"
    ):
        Simulator(parse_robot({**content, "simulation": {**servos, "model": "ur99"}}))
    with pytest.raises(ValueError, match="has 6 joints; panda has 7"):
        Simulator(parse_robot({**content, "simulation": {**servos, "model": "panda"}}))
    for changes, error in (
        ({"stiffness": [1000] * 5}, "stiffness has 5 values for 6 joints"),
        ({"torque": [0] * 6}, "torque: .*valid: above 0"),
        ({"mount": [0, 0]}, "mount: .*a list of 3 numbers"),
        ({"colour": "red"}, "unknown field.*valid: model, mount, stiffness, torque"),
    ):
        with pytest.raises(ValueError, match=error):
            parse_robot({**content, "simulation": {**servos, **changes}})


def test_a_contract_that_names_a_model_has_the_servos_of_the_shipped_one(sim):
    import yaml

    from vlm_robot_ros.paths import config_dir
    from vlm_robot_ros.robot.loader import parse_robot

    file = config_dir() / "arms" / f"{sim.robot.name}.yaml"
    content = yaml.safe_load(file.read_text())
    assert parse_robot({**content, "simulation": sim.robot.simulation}) == sim.robot


def test_a_way_to_tell_the_arm_that_there_is_not_is_refused(capsys, tmp_path):
    assert main(["evaluate", "--through", "telepathy", "--out", str(tmp_path)]) == 2
    assert "valid: action, joint_trajectory, pose, twist" in capsys.readouterr().err
