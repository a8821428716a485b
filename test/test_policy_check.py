"""What is found out about a policy before it moves an arm."""

import numpy as np
import pytest
from bags import HOME, BagWriter, moving_bag
from policy_servers import answering

from vlm_robot_ros.bags.policy_check import check_policy
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.bags.replay import replay
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.policies.remote.numpy_msgpack import pack

OPENING_PERIOD_S = 2.0


def opening_at(time):
    """Return the opening of the recorded gripper: it opens and closes."""
    return float(time % OPENING_PERIOD_S < OPENING_PERIOD_S / 2)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Read a bag of an arm that moves and grips for twelve seconds."""
    folder = tmp_path_factory.mktemp("bag") / "bag"
    bag, pixels = BagWriter(folder), np.random.default_rng(0).integers(0, 255, (64, 64, 3))
    bag.say(0.1, "pick up the red cube")
    for tick in range(600):
        now = tick / 50
        bag.joints(now, HOME + 0.05 * np.sin(now), opening_at(now))
        if tick % 5 == 0:
            for camera in ("front", "wrist"):
                bag.image(now, np.roll(pixels, tick, 0).astype(np.uint8), camera)
    bag.close()
    return read_recording(folder)


class Policy:
    """Stays where the arm is, with the opening that the recording has; `change` spoils a chunk."""

    cameras = ("front", "wrist")

    def __init__(self, change=lambda fields: fields):
        self.change = change

    def reset(self):
        pass

    next_instruction = draw = reset

    def infer(self, seen):
        assert set(seen.images) == {"front", "wrist"}
        fields = {
            "mode": ActionMode.JOINT_POSITION, "values": np.tile(seen.joints, (16, 1)),
            "gripper": np.array([opening_at(seen.time + 0.1 * k) for k in range(1, 17)]),
            "step_dt": 0.1, "label": "", "scores": {}, "confidence": 1.0, "hold": "",
        }  # fmt: skip
        return ActionChunk(**self.change(fields))


def results(recording, change=lambda fields: fields):
    found = check_policy(recording, Policy(change), questions=40)
    return {each.name: each for each in found}


def test_a_policy_that_fits_passes_everything(recording):
    found = results(recording)
    assert {each.verdict for each in found.values()} == {"pass"}
    assert found["answers"].text.startswith(("39", "40", "30"))
    assert found["replan_steps"].text in ("at most 14 of 16", "at most 13 of 16")


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("gripper", lambda f: {**f, "gripper": 1 - f["gripper"]}, "it seems inverted"),
        ("plausible actions", lambda f: {**f, "values": np.rad2deg(f["values"])}, "in degrees?"),
        ("plausible actions", lambda f: {**f, "gripper": 100 * f["gripper"]}, "opening is 100"),
        ("actions", lambda f: {**f, "hold": "I do not know"}, "only holds: I do not know"),
        ("answers", lambda f: f["nothing"], "0 of"),
        ("answers", lambda f: {**f, "scores": {}, "label": "x"}, "has no score"),
    ],
)
def test_what_does_not_fit_fails_by_name(recording, name, change, text):
    found = results(recording, change)
    assert found[name].verdict == "fail"
    assert text in found[name].text


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("first step", lambda f: {**f, "values": f["values"] + 0.9}, "0.9 rad away"),
        ("inside limits and workspace", lambda f: {**f, "values": f["values"] * 0.5}, "0 of"),
    ],
)
def test_what_is_unusual_is_told(recording, name, change, text):
    found = results(recording, change)
    assert found[name].verdict in ("warn", "fail")
    assert text in found[name].text


def test_a_gripper_that_never_moves_in_the_recording_is_not_judged(tmp_path):
    moving_bag(tmp_path / "bag")
    found = results(read_recording(tmp_path / "bag"))
    assert found["gripper"].verdict == "warn"


def test_the_command_asks_a_server_and_says_whether_something_fails(recording, capsys):
    path = str(recording.bag.path)
    command = ["policy", "check", "--map", "droid", "--bag", path, "--questions", "5"]
    with answering(lambda _: pack({"actions": np.zeros((10, 8))})) as server:
        assert main([*command, server.address]) == 0
    out = capsys.readouterr().out
    assert "PASS  plausible actions" in out
    assert "at most" in out
    with answering(lambda _: pack({"actions": np.zeros((10, 3))})) as server:
        assert main([*command, server.address]) == 1
    assert "3 values; the map for robot" in capsys.readouterr().out


def test_a_replay_tells_which_policy_fails_and_compares_none_of_its_answers(
    recording, capsys, monkeypatch
):
    def fail(fields):
        raise RuntimeError("out of memory")

    found = replay(recording, {"good": Policy(), "bad": Policy(fail)})
    assert set(found.failures) == {"bad"}
    assert len(found.failures["bad"]) == len(found.times)
    assert set(found.answers["bad"]) == {None}
    monkeypatch.syspath_prepend(str(__file__).rpartition("/")[0])
    path, name = str(recording.bag.path), "odd_policies:Failing"
    assert main(["bag", "replay", path, "--policy", name]) == 1
    assert "failed at" in capsys.readouterr().err
