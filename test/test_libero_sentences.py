"""LIBERO's things and sentences, without LIBERO: paraphrases, other instructions, coverage."""

import subprocess

import numpy as np
import pytest

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.evaluation.libero.counterfactual import other_instruction
from vlm_robot_ros.evaluation.libero.expert import moves_of
from vlm_robot_ros.evaluation.libero.paraphrases import read_paraphrases, sample
from vlm_robot_ros.evaluation.libero.things import geometries, kind_of, region_geometry
from vlm_robot_ros.sim.libero.environment import SceneTruth
from vlm_robot_ros.sim.libero.suites import contract_of

HEAD = "high,mid,low,eval,batch_idx,new_instruction,original_instruction,structural_similarity\n"
ROWS = (
    "act,lexical,x,0,0,stick the bowl on the stove,put the bowl on the stove,1\n"
    'obj,lexical,x,0,0,"lay the dish, please, on the stove",put the bowl on the stove,1\n'
)


def _repository(folder):
    (folder / "metrics").mkdir(parents=True)
    (folder / "metrics" / "libero_para_metadata.csv").write_text(HEAD + ROWS)
    return folder


def test_paraphrases_come_from_a_table_a_folder_or_a_git_address(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = _repository(tmp_path / "para")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    subprocess.run([*git, "add", "."], cwd=folder, check=True)
    subprocess.run([*git, "commit", "-qm", "x"], cwd=folder, check=True)
    for source in (folder / "metrics" / "libero_para_metadata.csv", folder, f"file://{folder}"):
        found = read_paraphrases(str(source))
        assert [each.kind for each in found] == ["act lexical", "obj lexical"]
        assert found[1].text == "lay the dish, please, on the stove"
    assert sample(found, 1, seed=3) == sample(found, 1, seed=3)
    assert len(sample(found, 9, seed=3)) == 2


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--suite", "para"], "the suite 'para' needs --paraphrases"),
        (["--suite", "para", "--paraphrases", "/no/such"], "no sentences of LIBERO-Para"),
        (["--suite", "para", "--paraphrases", "file:///no/such.git"], "git failed"),
    ],
)
def test_sentences_that_are_not_there_are_refused(given, problem, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    command = ["evaluate", "--env", "libero", "--policy", "hold", "--out", str(tmp_path / "out")]
    assert main([*command, *given]) == 2
    assert problem in capsys.readouterr().err


def _box(x, y, low, size):
    half = np.array([size[0] / 2, size[1] / 2, 0.0])
    base = np.array([x, y, low])
    return np.array([base - half, base + half + [0, 0, size[2]]])


TRUTH = SceneTruth(
    {
        "akita_black_bowl_1": _box(-0.1, 0.0, 0.9, (0.11, 0.11, 0.05)),
        "plate_1": _box(0.05, 0.0, 0.9, (0.14, 0.14, 0.02)),
        "cream_cheese_1": _box(-0.05, 0.13, 0.9, (0.08, 0.04, 0.02)),
        "flat_stove_1": _box(-0.3, 0.2, 0.89, (0.3, 0.2, 0.07)),
        "desk_lamp_1": _box(0.2, 0.2, 0.9, (0.1, 0.1, 0.3)),
    },
    {"flat_stove_1_cook_region": np.array([-0.27, 0.21, 0.905]),
     "main_table_stove_front_region": np.array([-0.05, 0.21, 0.895])},
)  # fmt: skip


def test_known_things_are_boxes_and_fixtures_have_a_place():
    things = geometries(TRUTH)
    assert sorted(things) == ["akita_black_bowl_1", "cream_cheese_1", "flat_stove_1", "plate_1"]
    np.testing.assert_allclose(things["akita_black_bowl_1"].base, [-0.1, 0.0, 0.9])
    np.testing.assert_allclose(things["flat_stove_1"].place, [-0.27, 0.21, 0.935])
    place = region_geometry("flat_stove_1_cook_region", TRUTH).place
    np.testing.assert_allclose(place, [-0.27, 0.21, 0.935])
    front = region_geometry("main_table_stove_front_region", TRUTH).place
    np.testing.assert_allclose(front, [-0.05, 0.21, 0.905])
    with pytest.raises(KeyError):
        region_geometry("nowhere", TRUTH)


@pytest.mark.parametrize(
    ("goal", "covered"),
    [
        ([["on", "akita_black_bowl_1", "plate_1"]], True),
        ([["in", "cream_cheese_1", "wooden_cabinet_1_top_region"]], False),
        ([["open", "wooden_cabinet_1_middle_region"]], False),
        ([["turnon", "flat_stove_1"], ["on", "plate_1", "flat_stove_1_cook_region"]], False),
        ([["on", "desk_lamp_1", "plate_1"]], False),
        ([["on", "flat_stove_1", "plate_1"]], False),
        ([["in", "cream_cheese_1", "desk_caddy_1_back_contain_region"]], False),
        ([["on", "plate_1", "main_table_stove_front_region"]], True),
        ([["on", "plate_1", "flat_stove_1_cook_region"]], True),
    ],
)
def test_covered_is_what_carrying_known_things_fulfils(goal, covered):
    assert (moves_of(goal) is not None) == covered


def test_another_instruction_is_of_another_thing_for_the_same_place():
    part = ["on", "akita_black_bowl_1", "plate_1"]
    text, goal = other_instruction(part, TRUTH, (7, 0, 0))
    assert text == "pick up the cream cheese and place it on the plate"
    assert goal == [["on", "cream_cheese_1", "plate_1"]]
    only = SceneTruth({name: TRUTH.boxes[name] for name in ("plate_1", "akita_black_bowl_1")}, {})
    assert other_instruction(part, only, (7, 0, 0)) is None
    # The benchmark's "in" is of regions only, whatever people say.
    text, goal = other_instruction(["on", "plate_1", "akita_black_bowl_1"], TRUTH, (7, 0, 0))
    assert text == "pick up the cream cheese and place it in the bowl"
    assert goal == [["on", "cream_cheese_1", "akita_black_bowl_1"]]


def test_contracts_have_the_height_of_the_ground_and_the_camera():
    from vlm_robot_ros.robot.loader import load_robot

    for suite, height in (("goal_task", 0.9), ("spatial", 0.9), ("object_lan", 0.0)):
        robot = load_robot(contract_of(suite))
        assert robot.workspace.min[2] == height
        assert len(robot.cameras[0].pose) == 6
    assert kind_of("plate_1").noun == "plate"
    assert kind_of("desk_lamp_1") is None
