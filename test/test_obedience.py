"""The shipped policy in the obedience suite: few episodes, but all of it is real."""

import json
import select
import signal
import subprocess
import sys
import time

import pytest
from odd_policies import Broken, Closing, Sweeping

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.evaluation.conditions import CONDITIONS, make_episode_spec
from vlm_robot_ros.evaluation.run_episode import Outcome, run_episode
from vlm_robot_ros.evaluation.suite import SuiteConfig, run_suite, summarize_outcomes
from vlm_robot_ros.evaluation.suite_report import confusion_table
from vlm_robot_ros.interfaces.policy import HoldPolicy
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.tasks.objects import UNNAMED_PAIRS, UNSEEN_PAIRS
from vlm_robot_ros.tasks.tasks import FAMILIES, is_feasible


def evaluate(out, *options):
    """Run the suite; returns the cells of its report."""
    report = out / "figures.json"
    command = ["evaluate", "--out", str(out), "--json", str(report), "--seed", "500", *options]
    assert main(command) == 0
    return json.loads(report.read_text())["cells"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The folder and the figures of one episode a family."""
    out = tmp_path_factory.mktemp("seen")
    return out, evaluate(out, "--episodes", str(len(FAMILIES)))


def test_the_shipped_policy_obeys_in_unseen_scenes(seen):
    figures = seen[1]["seen"]
    assert set(figures["families"]) == set(FAMILIES)
    # Under the model card's rate, and over what a policy gets that does not listen.
    assert figures["successes"] >= 5, figures


@pytest.mark.long
def test_what_is_tall_still_stands_after_a_push(sim, shipped):
    policy, stood = load_checkpoint_policy(shipped, sim.robot), []
    # Bottles that fell over when the hand rose while it still pushed.
    for number in (680, 750, 764, 778, 1044, 1275, 1289):
        stood.append(run_episode(sim, policy, "seen", 500_000, number)[0].success)
    assert sum(stood) >= 6, stood


def test_a_report_says_what_was_measured(seen):
    report = json.loads((seen[0] / "report.json").read_text())
    assert report["seed"] == 500
    assert len(report["checkpoint_sha256"]) == 16
    low, high = report["cells"]["seen"]["wilson_95"]
    assert 0 <= low < high <= 1
    assert "95 % interval" in (seen[0] / "report.md").read_text()


@pytest.mark.long
def test_what_was_run_is_not_run_again_and_nothing_else_is_mixed_in(seen, capsys):
    out = seen[0]
    log = out / "episodes.jsonl"
    rows = log.read_text().splitlines()
    log.write_text("\n".join(rows[:-1]) + "\n" + rows[-1][:40])  # ended in the midst of a line
    evaluate(out, "--episodes", str(len(FAMILIES)))
    assert [json.loads(row)["index"] for row in log.read_text().splitlines()].count(0) == 1
    assert len(log.read_text().splitlines()) == len(rows)
    command = ["evaluate", "--out", str(out), "--seed", "501", "--episodes", "1"]
    assert main(command) == 2
    assert "choose another --out" in capsys.readouterr().err


@pytest.mark.long
def test_the_measurement_tells_a_policy_that_does_not_listen(tmp_path):
    figures = evaluate(tmp_path, "--cells", "swap,absent", "--episodes", "4", "--policy", "blind")
    assert figures["swap"]["successes"] <= 1
    assert figures["absent"]["successes"] <= 1


@pytest.mark.long
def test_a_cell_that_is_named_twice_counts_once(tmp_path):
    twice = "blank camera, blank camera"
    figures = evaluate(tmp_path, "--cells", twice, "--episodes", "1", "--policy", "hold")
    assert figures["blank camera"]["episodes"] == 1


@pytest.mark.long
def test_it_stays_where_it_is_when_there_is_nothing_to_do(tmp_path):
    cells = "absent,meaningless,blank camera,frozen camera"
    figures = evaluate(tmp_path, "--cells", cells, "--episodes", "3")
    assert sum(row["successes"] for row in figures.values()) >= 10, figures


def test_an_unknown_cell_is_refused_with_the_valid_ones(tmp_path, capsys):
    assert main(["evaluate", "--cells", "unheard", "--out", str(tmp_path)]) == 2
    assert "valid: seen, pairs a" in capsys.readouterr().err


@pytest.mark.parametrize("cell", CONDITIONS)
def test_cases_are_feasible_and_the_same_for_the_same_seed(cell):
    for index in range(12):
        case = make_episode_spec(cell, 7, index)
        assert repr(case) == repr(make_episode_spec(cell, 7, index))
        for order in case.instructions:
            assert order.text
            assert order.task is None or is_feasible(order.task, case.scene)
            if cell.startswith("pairs"):
                thing = case.scene.things[order.task.target]
                held = UNNAMED_PAIRS if cell == "pairs a" else UNSEEN_PAIRS
                assert (thing.colour, thing.shape) in held
                others = [other for other in case.scene.things if other is not thing]
                assert thing.colour in {other.colour for other in others}
                assert thing.shape in {other.shape for other in others}
        if cell == "swap":
            one, other = (order.text.split() for order in case.instructions)
            assert sum(a != b for a, b in zip(one, other, strict=True)) == 1


@pytest.mark.long
def test_a_policy_that_fails_fails_the_episode_only(tmp_path):
    robot, config = load_robot("panda_sim"), SuiteConfig(("seen",), 2, 5)
    outcomes = run_suite(robot, Broken, config, tmp_path, {}, 1)
    assert [outcome.did for outcome in outcomes] == ["crashed", "crashed"]
    assert "out of order" in outcomes[0].hold


@pytest.mark.long
def test_an_arm_that_only_closes_its_gripper_did_not_stay(tmp_path):
    robot, config = load_robot("panda_sim"), SuiteConfig(("meaningless",), 2, 5)
    outcomes = run_suite(robot, Closing, config, tmp_path, {}, 1)
    assert [outcome.did for outcome in outcomes] == ["moved", "moved"]
    assert all(outcome.moved < 0.005 for outcome in outcomes)


@pytest.mark.long
def test_things_that_nobody_spoke_of_are_seen_to_be_moved(tmp_path):
    robot, config = load_robot("panda_sim"), SuiteConfig(("seen",), 4, 5)
    swept = run_suite(robot, Sweeping, config, tmp_path / "swept", {}, 1)
    held = run_suite(robot, HoldPolicy, config, tmp_path / "held", {}, 1)
    assert summarize_outcomes(swept)["seen"]["others_moved"] > 0
    assert summarize_outcomes(held)["seen"]["others_moved"] == 0


@pytest.mark.long
def test_an_interrupted_run_ends_soon_and_keeps_what_was_run(tmp_path):
    # Who runs the tests in the background has told them to ignore the signal.
    heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import signal; from vlm_robot_ros.cli.main import main; {heed}; exit(main())"
    command = [sys.executable, "-c", code, "evaluate", "--out", str(tmp_path)]
    options = ["--cells", "meaningless", "--policy", "hold", "--episodes", "500", "--workers", "1"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    log, deadline = tmp_path / "episodes.jsonl", time.monotonic() + 100
    while not (log.exists() and log.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert 0 < len(log.read_text().splitlines()) < 250


def test_a_wrong_checkpoint_is_said_before_anything_runs(tmp_path, capsys):
    command = ["evaluate", "--out", str(tmp_path), "--checkpoint", str(tmp_path / "none")]
    assert main(command) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_the_confusion_table_counts_what_was_done_instead():
    made = [_outcome("push left", "push left"), _outcome("push left", "push right"),
            _outcome("stay", "moved")]  # fmt: skip
    table = confusion_table(made)
    assert "| push left | 2 | 1 |  | 1 |" in table
    assert summarize_outcomes(made)["seen"]["rate"] == pytest.approx(1 / 3, abs=1e-3)


def _outcome(asked, did):
    return Outcome("seen", 0, "push", ("",), asked, did, "", "", 1.0, 0.0, 0.0, asked == did)
