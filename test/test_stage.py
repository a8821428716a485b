"""Scenes for a running node, one after another."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

import rclpy

from vlm_robot_ros.demo.script import demo_script
from vlm_robot_ros.demo.sim_client import SimulationClient
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.controller_topics import contract_with_sink


@pytest.fixture
def stage(graph):
    rclpy.init(domain_id=graph.domain)
    node = rclpy.create_node("stage")
    yield SimulationClient(node, load_robot("panda_sim"), lambda: "")
    node.destroy_node()
    rclpy.shutdown()


@pytest.mark.long
def test_a_trip_ends_with_its_scene(graph, stage, tmp_path):
    """Else one arm that met with an obstacle fails all that is asked of it afterwards."""
    contract, item = tmp_path / "deaf.yaml", demo_script(1)[0]
    listens = contract_with_sink("panda_sim", "joint_trajectory")
    contract.write_text(listens.replace("topic: joint_trajectory", "topic: nobody_listens"))
    graph.start("policy_node", robot=contract, use_sim_time=True)
    graph.start("arm_sim_node", follow_action=False)
    stage.bring_up()
    tripped = lambda: stage.action.hold_reason.startswith("tripped: the arm does not follow")  # noqa: E731
    for _ in range(2):
        stage.new_scene(item.scene_seed)
        assert stage.wait(lambda: stage.action.hold_reason == "waiting for an instruction", 20.0)
        stage.publish_instruction(item.instruction)
        assert stage.wait(tripped, 60.0)
