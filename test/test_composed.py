"""Several nodes in one process, over real DDS."""

import os
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.msg import SimState, VlmAction

CODE = "import sys; from vlm_robot_ros.nodes.multi_node import main; sys.exit(main())"


def compose(graph, *nodes, **parameters):
    given = [part for key, value in parameters.items()
             for part in ("-p", f"{key.replace('__', ':')}:={value}")]  # fmt: skip
    return graph.python("-c", CODE, *nodes, "--ros-args", *given)


@pytest.mark.long
def test_they_work_together_and_each_says_its_last_word(graph, tmp_path):
    actions, states = (
        graph.listen(VlmAction, "action"),
        graph.listen(SimState, "arm_sim_node/state"),
    )
    joints = graph.listen(JointState, "joint_states")
    process = compose(
        graph, "arm_sim_node", "policy_node", "recorder_node",
        arm_sim_node__seed=3, policy_node__policy="hold", policy_node__use_sim_time="true",
        recorder_node__bag=tmp_path / "bag", recorder_node__robot="panda_sim",
    )  # fmt: skip
    assert graph.until(lambda: actions and states and joints, 100.0)
    assert states[-1].seed == 3
    # The test, the arm, and then the recorder, which looks for topics now and then.
    assert graph.until(lambda: graph.node.count_subscribers("action") > 2, 100.0)
    heard = len(actions)
    assert graph.until(lambda: len(actions) > heard + 60), "the policy node does not go on"
    process.terminate()
    graph.ended(process)
    assert process.returncode == 0
    assert graph.until(lambda: "the policy node ends" in actions[-1].hold_reason)
    recording = read_recording(tmp_path / "bag")
    assert len(recording.actions) > 20
    assert recording.robot.name == "panda_sim"
    assert recording.actions[-1].hold == "the policy node ends"


@pytest.mark.long
def test_who_is_still_made_when_they_are_told_to_end_is_not_waited_for(
    graph, tmp_path, monkeypatch
):
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    actions = graph.listen(VlmAction, "action")
    process = compose(
        graph, "policy_node", "recorder_node",
        policy_node__policy="odd_policies:NeverReady", recorder_node__bag=tmp_path / "bag",
    )  # fmt: skip
    words = graph.node.create_publisher(String, "instruction", 10)
    # The recorder listens, and the policy's process is there.
    loading = Path(f"/proc/{process.pid}/task")
    begun = lambda: any(  # noqa: E731
        (thread / "children").read_text() for thread in loading.iterdir()
    )
    assert graph.until(lambda: words.get_subscription_count() == 1 and begun(), 100.0)
    words.publish(String(data="go home"))
    assert words.wait_for_all_acked(Duration(seconds=60))
    process.terminate()
    graph.ended(process)
    assert process.returncode == 0
    assert actions == []
    assert [said for _, said in read_recording(tmp_path / "bag").instructions] == ["go home"]


@pytest.mark.long
def test_where_one_cannot_come_up_all_end(graph, tmp_path):
    process = compose(
        graph, "arm_sim_node", "recorder_node",
        arm_sim_node__robot="pamda", recorder_node__bag=tmp_path / "bag",
    )  # fmt: skip
    assert "no robot 'pamda'" in graph.ended(process)
    assert process.returncode == 1


@pytest.mark.parametrize("nodes", [[], ["polite_node"], ["policy_node", "policy_node"]])
def test_what_is_no_list_of_nodes_is_refused(graph, nodes):
    process = compose(graph, *nodes)
    assert "valid: some of voice_node, policy_node" in graph.ended(process)
    assert process.returncode == 2
