"""What a grounded model can look at besides one image: distances, the past, a close-up."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.sim_episode import TABLE_CROP, crop_around_token, load_episode
from vlm_robot_ros.demo.script import sample_seeded_scene
from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.models.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from vlm_robot_ros.models.grounded.crop_refiner import sample_crops
from vlm_robot_ros.models.grounded.image import AuxiliaryInputs, TokenHeads
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.tokenizer import Tokenizer
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.policies.grounded.preprocessor import ObservationPreprocessor
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.training.train_grounded import model_config

WAYS = {
    "depth": ["--depth", "front_depth"],
    "history": ["--history", "2"],
    "close-up": ["--close-up"],
    "all, by cross-attention": [
        *("--depth", "front_depth", "--history", "1", "--close-up", "--fusion", "cross")
    ],
}


@pytest.fixture(scope="module")
def rgbd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rgbd")
    command = ["collect", "--robot", "panda_sim_rgbd", "--out", str(folder), "--workers", "1"]
    assert main([*command, "--episodes", "2", "--seed", "7"]) == 0
    return folder


def test_an_episode_keeps_what_depth_and_a_larger_image_tell(rgbd):
    episode = load_episode(next(rgbd.glob("*.npz")))
    frames = len(episode.tool)
    assert episode.surface.shape == (frames, TABLE_CROP[2] // 4, TABLE_CROP[3] // 4, 3)
    assert episode.close.shape == (frames, 2, 96, 96, 3)
    # What tokens of a thing show is near its middle.
    for row in range(frames):
        for thing, place in enumerate(episode.things[row]):
            shown = episode.surface[row][episode.shown[row] == thing + 1].astype(float)
            if len(shown) > 10:
                assert np.linalg.norm(np.median(shown, 0) - place) < 0.08


def test_what_is_cut_out_for_training_is_what_is_cut_out_in_use():
    whole = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    tensor = torch.from_numpy(whole).permute(2, 0, 1)[None].float()
    for token in (0, 61, 1000, 2639):
        row, column = (4 * part + 2.5 for part in divmod(token, TABLE_CROP[3] // 4))
        middle = [
            torch.tensor([(TABLE_CROP[axis] + at) / 256]) for axis, at in enumerate((row, column))
        ]
        cut = sample_crops(tensor, *middle, 48 / 256)[0].permute(1, 2, 0)
        torch.testing.assert_close(cut, torch.from_numpy(crop_around_token(whole, token)).float())


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_trained_and_acts(rgbd, tmp_path, way):
    command = ["train", "--data", str(rgbd), "--out", str(tmp_path), "--batch", "2"]
    command += ["--text-steps", "1", "--action-steps", "1", "--image-steps", "2"]
    assert main([*command, *WAYS[way]]) == 0
    config = load_checkpoint(tmp_path).config
    assert bool(config.depth) == ("--depth" in WAYS[way])
    assert bool(config.history) == ("--history" in WAYS[way])
    assert bool(config.close_up) == ("--close-up" in WAYS[way])
    policy = GroundedPolicy(tmp_path)
    sim = Simulator(load_robot("panda_sim_rgbd"))
    sim.reset(sample_seeded_scene(1))
    player = ClosedLoopRunner(sim, policy)
    player.set_instruction("pick up the red cube")
    player.run(0.5)
    sim.close()
    assert player.label or player.hold
    assert policy.cameras == (("front", "front_depth") if "--depth" in WAYS[way] else ("front",))


def test_episodes_without_it_are_refused(demos, tmp_path, capsys):
    command = ["train", "--data", str(demos), "--out", str(tmp_path)]
    assert main([*command, "--depth", "front_depth"]) == 2
    said = capsys.readouterr().err
    assert "have no 'surface'" in said
    assert "--robot panda_sim_rgbd" in said
    assert main([*command, "--close-up"]) == 2
    assert "have no 'close'" in capsys.readouterr().err


def test_points_begin_from_what_is_measured_and_from_the_table_where_nothing_is():
    table = torch.tensor([[0.5], [0.1]]).reshape(2, 1, 1).expand(2, 2, 3)
    heads = TokenHeads(8, 3, table, depth=True).eval()
    surface = torch.full((1, 3, 6), 0.25)
    surface[:, :, 1] = torch.nan
    surface[:, :, 2] = 40.0  # the floor far behind the table
    places, known = heads.points_of(surface, 1)
    assert known[0, 0].tolist() == [1, 0, 0, 1, 1, 1]
    torch.testing.assert_close(places[0, :, 1], torch.tensor([0.5, 0.1, 0.0]))
    torch.testing.assert_close(places[0, :, 0], torch.full((3,), 0.25))
    arm = torch.zeros(1, 3), torch.ones(1)
    _, points = heads(torch.zeros(1, 8, 2, 3), *arm, surface=surface)
    assert torch.isfinite(points).all()
    _, moved = heads(torch.zeros(1, 8, 2, 3), *arm, surface=surface + 0.01)
    assert not torch.allclose(points[0, :, 0], moved[0, :, 0])


def test_the_past_is_of_the_times_it_is_asked_for():
    gaze = ObservationPreprocessor(replace(model_config(), history=2, history_dt=0.2), "cpu")
    seen = []
    for step in range(8):  # images every 0.1 s, each one brighter
        image = np.full((256, 256, 3), 10 * step, np.uint8)
        _, beside = gaze.preprocess(
            Observation({"front": image}, np.zeros(7), 1.0, "", time=step / 10)
        )
        seen.append([round(float(one.mean()) * 25.5) for one in beside.past[0]])
    assert seen == [[0, 0], [0, 0], [0, 0], [1, 0], [2, 0], [3, 1], [4, 2], [5, 3]]
    _, beside = gaze.preprocess(Observation({"front": image}, np.zeros(7), 1.0, "", time=0.0))
    assert float(beside.past.min()) == pytest.approx(70 / 255)  # another world's are forgotten


def test_a_model_without_depth_takes_no_notice_of_distances():
    model = VisionLanguageRobotModel(model_config()).eval()
    image, arm = torch.rand(1, 3, *TABLE_CROP[2:]), (torch.zeros(1, 3), torch.ones(1))
    words = Tokenizer(model.config.vocabulary)("pick up the red cube")
    slots = model.text(torch.tensor([words]))
    plain = model.ground(image, *arm, slots)
    beside = model.ground(image, *arm, slots, AuxiliaryInputs(surface=torch.zeros(1, 3, 44 * 60)))
    torch.testing.assert_close(plain.point, beside.point)


def test_one_moment_may_be_asked_about_twice_and_a_pause_is_forgotten():
    gaze = ObservationPreprocessor(replace(model_config(), history=1, history_dt=0.2), "cpu")

    def look(time, brightness):
        image = np.full((256, 256, 3), brightness, np.uint8)
        _, beside = gaze.preprocess(Observation({"front": image}, np.zeros(7), 1.0, "", time=time))
        return round(float(beside.past.mean()) * 255)

    for step in range(4):
        look(step / 10, 10 * step)
        assert look(step / 10, 10 * step) == 10 * max(0, step - 2)
    assert look(60.0, 90) == 90  # nothing of a minute ago stands for 0.2 s ago


def test_a_robot_without_the_depth_camera_is_refused(tmp_path):
    model = VisionLanguageRobotModel(replace(model_config(), depth="front_depth"))
    save_checkpoint(model, tmp_path, {})
    load_checkpoint_policy(tmp_path, load_robot("panda_sim_rgbd"))
    with pytest.raises(CheckpointError, match=r"needs a depth camera 'front_depth'.*has none"):
        load_checkpoint_policy(tmp_path, load_robot("panda_sim"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--history", "-1"], "history is -1; valid: 0 or more"),
        (["--fusion", "pooled", "--close-up"], "'pooled' has no places"),
    ],
)
def test_options_that_make_no_sense_are_refused(rgbd, tmp_path, capsys, options, problem):
    assert main(["train", "--data", str(rgbd), "--out", str(tmp_path), *options]) == 2
    assert problem in capsys.readouterr().err
