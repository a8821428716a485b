"""How many files of the repository an extension touches: here each is one new file."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vlm_robot_ros import plugins, sinks
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.loader import load_robot

_SINK = '''
from vlm_robot_ros.sinks.base import SinkKind


class JointVelocitiesSink(SinkKind):
    """Joint velocities, for a controller that keeps them."""

    kind = "joint_velocities"
    description = "for a velocity controller"
    interface = "std_msgs/msg/Float64MultiArray"
    commands_joints = True
    keeps_velocity = True

    def fill(self, message, motion, robot):
        message.data = motion.preview.setpoints[0].velocity.tolist()

    def fill_stop(self, message, robot):
        message.data = [0.0] * len(robot.joints)
'''

_SKILL = '''
import numpy as np

from vlm_robot_ros.tasks.paraphrases import Paraphrases
from vlm_robot_ros.tasks.skill import ExpertAction, Goal, Skill
from vlm_robot_ros.tasks.tool_motion import TOP_STEP, funnel, towards


class Point(Skill):
    """Done when the tool is right above the target."""

    family = "point"
    names = ("point at",)
    sentences = Paraphrases(("{v} {o}",))
    verb_phrases = Paraphrases(("point at",))

    def label(self, name, shape, receptacle=""):
        return f"point at the {shape}"

    def is_feasible(self, task, scene):
        return True

    def goal(self, name):
        return Goal(of_start=(1, 1, 1), offset=(0, 0, 0.1))

    def is_done(self, task, scene, start, now):
        return np.linalg.norm((now.tool - now.positions[task.target])[:2]) < 0.02

    def expert_action(self, states, along, turn):
        aside = np.linalg.norm((states.tool - states.goal)[:, :2], axis=1)
        move = towards(states.tool, funnel(states.tool, states.goal, aside, 0.01), TOP_STEP)
        return ExpertAction(move, np.zeros(len(move)), np.ones(len(move)))
'''
# The skills are listed when they are imported first: in a process of its own.
_EXPERT_DOES_IT = """
import sys

import numpy as np

from vlm_robot_ros.tasks import skills

skills.__path__.append(sys.argv[1])
from vlm_robot_ros.language.generator import generate_sentence
from vlm_robot_ros.language.task_spec import describe_task
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.demonstrations import AssignedTask, execute_action, simulated_expert_action
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.scene import sample_scene
from vlm_robot_ros.tasks.tasks import SKILLS, all_labels, is_done, sample_task

assert SKILLS[-1] == "point at" and "point at the cube" in all_labels()
sim, rng = Simulator(load_robot("panda_sim")), np.random.default_rng(3)
for _ in range(3):
    scene = sample_scene(rng)
    task = sample_task(rng, scene, "point at")
    print(generate_sentence(rng, describe_task(rng, task, scene)))
    sim.reset(scene)
    given = AssignedTask(task, sim.world_state)
    assert not is_done(task, scene, given.start, sim.world_state)
    for _ in range(60):
        execute_action(sim, simulated_expert_action(sim, given))
    assert is_done(task, scene, given.start, sim.world_state)
"""


@pytest.fixture
def new_file(tmp_path, monkeypatch):
    """A function that adds one file to a folder of the package, as a contributor does."""
    added = []

    def add(package, name, text):
        (tmp_path / "added").mkdir(exist_ok=True)
        (tmp_path / "added" / f"{name}.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "added")])
        added.append(f"{package.__name__}.{name}")
        plugins.command_sinks.cache_clear()

    yield add
    for module in added:
        sys.modules.pop(module, None)
    monkeypatch.undo()
    plugins.command_sinks.cache_clear()


def contract(tmp_path, **changes):
    """A contract of a real arm, in one YAML file."""
    content = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**content, "simulation": "", **changes}))
    return path


def test_a_sink_is_one_file(new_file, tmp_path, capsys):
    pytest.importorskip("std_msgs", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    import numpy as np

    from vlm_robot_ros.interfaces.action import ActionMode
    from vlm_robot_ros.interfaces.action_command import ActionCommand
    from vlm_robot_ros.interfaces.hold import MAY_MOVE
    from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
    from vlm_robot_ros.interfaces.robot_state import RobotState
    from vlm_robot_ros.ros.command_publisher import CommandPublisher
    from vlm_robot_ros.runtime.control_loop import ControlLoop

    new_file(sinks, "joint_velocities", _SINK)
    path = contract(tmp_path, sinks=[{"kind": "joint_velocities", "topic": "velocities"}])
    assert main(["contract", "check", str(path)]) == 0
    assert "sink joint_velocities: velocities" in capsys.readouterr().out

    class Kept(list):
        publish = list.append

    kept, robot = Kept(), load_robot(str(path))
    home = np.array(robot.home)
    loop = ControlLoop(robot, 0.02, sinks=["joint_velocities"])
    publisher = CommandPublisher(robot, 0.02, lambda kind, topic: kept, False, loop, lambda: 0.0)
    action = ActionCommand(
        ActionMode.JOINT_POSITION, home + 0.1, 1.0, 1.0, 1.0, MAY_MOVE, EMPTY_INSTRUCTION
    )
    for tick in range(5):
        now = 1.0 + 0.02 * tick
        publisher.publish(loop.execute(now, action, RobotState(now, home, 1.0), []), now)
    assert min(kept[-1].data) > 0.0
    publisher.stop()
    publisher.close()
    assert list(kept[-1].data) == [0.0] * 7


def test_a_skill_is_one_file(tmp_path):
    """The scripted expert does it; a learned policy has to be trained for it."""
    (tmp_path / "point.py").write_text(_SKILL)
    command = [sys.executable, "-c", _EXPERT_DOES_IT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("point at") == 3


def test_a_real_arm_is_one_file(tmp_path, capsys):
    path = contract(tmp_path, name="mine")
    assert main(["contract", "check", str(path)]) == 0
    assert "real" in capsys.readouterr().out
    assert main(["contract", "permissions", str(path), "--enclave", "/arm"]) == 0


def test_a_simulated_arm_is_one_file(shipped):
    """Kinova's Jaco is no arm of the project: a contract is all that the simulator needs."""
    from vlm_robot_ros.evaluation.run_episode import run_episode
    from vlm_robot_ros.policies.factory import load_checkpoint_policy
    from vlm_robot_ros.sim.simulator import Simulator

    sim = Simulator(load_robot(str(Path(__file__).parent / "data" / "jaco_sim.yaml")))
    try:
        policy = load_checkpoint_policy(shipped, sim.robot)
        outcomes = [
            run_episode(sim, policy, "seen", 81, index, "joint_trajectory")[0]
            for index in range(3)
        ]
    finally:
        sim.close()
    assert sum(outcome.success for outcome in outcomes) >= 2, outcomes
    assert max(outcome.speed for outcome in outcomes) <= 1.0
