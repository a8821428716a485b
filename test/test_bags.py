"""Bags read back: reported on, thought through again, and made into data; whole ones and torn."""

import json
import re
from contextlib import suppress

import numpy as np
import pytest
from bags import DEMO_COMMANDS, BagWriter, moving_bag
from rosbags.rosbag2 import StoragePlugin

from vlm_robot_ros.bags.bag import Bag, BagError
from vlm_robot_ros.bags.bag_dataset import BagDataset, BagOptions
from vlm_robot_ros.bags.metrics import summarize_recording
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.cli.main import main

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")


@pytest.fixture(scope="module")
def recorded(demo):
    """The bag of a demo."""
    return demo[0] / "bag"


# -- Reports -------------------------------------------------------------------------------------


def test_a_report_says_what_the_judge_said_and_when(demo, recorded, tmp_path):
    page = tmp_path / "page.html"
    assert main(["bag", "report", str(recorded), "--out", str(page)]) == 0
    found = json.loads(page.with_suffix(".json").read_text())[0]
    summary = json.loads((demo[0] / "summary.json").read_text())
    assert [e["success"] for e in found["episodes"]] == [c["success"] for c in summary["commands"]]
    assert {e["by"] for e in found["episodes"]} == {"judge"}
    assert found["success"]["judged"] == DEMO_COMMANDS
    assert found["robot"] == "panda_sim"
    assert found["about"]["about"] == "demo, seed 4"
    assert re.fullmatch(r"[0-9a-f]{12}\+?|unknown", found["about"]["git"])
    text = page.read_text()
    assert all(e["instruction"] in text.replace("&#39;", "'") for e in found["episodes"])
    assert text.count("data:image/") > DEMO_COMMANDS
    # Nothing beside it is needed.
    assert all(link.startswith("data:") for link in re.findall(r'(?:src|href)="([^"]*)"', text))


def test_the_latency_in_a_report_is_the_one_the_node_tells(recorded):
    found = summarize_recording(read_recording(recorded))["camera_to_action_ms"]
    told = [m.value for m in Bag(recorded).messages(["/latency"])][-1]
    # The node keeps the newest 500; a slow machine may have more.
    assert min(found["count"], 500) == pytest.approx(told.count, rel=0.1)
    # Simulated time goes in steps of 20 ms.
    assert found["p50"] == pytest.approx(1e3 * told.p50, abs=25)


def test_lost_frames_holds_and_limits_are_counted(tmp_path):
    moving_bag(tmp_path / "bag", skip=(10, 11, 20), success=True)
    found = summarize_recording(read_recording(tmp_path / "bag"))
    front = found["cameras"]["/camera/front/image_raw"]
    assert (front["frames"], front["lost"]) == (27, 3)
    assert front["longest_gap_s"] == pytest.approx(0.3)
    assert found["holds"][0]["reason"] == "waiting for a plan"
    assert found["holds"][0]["seconds"] == pytest.approx(0.48, abs=0.03)
    assert found["camera_to_action_ms"]["p50"] == pytest.approx(3.0, abs=0.1)
    assert found["success"] == {
        "episodes": 1, "judged": 1, "successes": 1,
        "wilson_95": [pytest.approx(0.2065, abs=1e-3), 1.0],
    }  # fmt: skip
    # 0.1 sin(t) is fastest at the beginning: 0.1 rad/s of 2.175.
    assert found["joints"][0]["velocity"] == pytest.approx(0.1 / 2.175, rel=0.05)


def test_several_bags_stand_side_by_side_and_hostile_words_are_only_words(tmp_path):
    evil = '<script>alert("x")</script> & {{ 7*7 }} ☃'
    for name, success in (("one", True), ("two", False)):
        moving_bag(tmp_path / name, said=evil, success=success)
    page = tmp_path / "page.html"
    bags = [str(tmp_path / name) for name in ("one", "two")]
    assert main(["bag", "report", *bags, "--out", str(page)]) == 0
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "{{ 7*7 }}" in text
    table = text[text.index('id="compare"') : text.index("</table>")]
    assert "1 of 1 (21 to 100 %)" in table
    assert "0 of 1 (0 to 79 %)" in table


# -- Bags that are not as they should be ---------------------------------------------------------


def test_a_torn_bag_is_read_as_far_as_it_goes(tmp_path):
    moving_bag(tmp_path / "bag", seconds=20.0)
    whole = [m.time for m in Bag(tmp_path / "bag").messages()]
    data = (tmp_path / "bag" / "bag.mcap").read_bytes()
    torn, read = tmp_path / "torn", []
    for part in (0.3, 0.5, 0.9, 0.9999):
        torn.mkdir(exist_ok=True)
        (torn / "bag.mcap").write_bytes(data[: int(part * len(data))])
        bag = Bag(torn)
        assert bag.problem
        read.append(sum(1 for _ in bag.messages()))
    assert read == sorted(read)
    assert read[0] > 0
    assert read[-1] == len(whole)


@pytest.mark.parametrize("seed", range(20))
def test_a_corrupt_bag_is_named_or_read_and_never_a_crash(tmp_path, seed):
    moving_bag(tmp_path / "bag", seconds=1.0)
    path = tmp_path / "bag" / "bag.mcap"
    data, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 30):
        data[place] = rng.integers(256)
    path.write_bytes(data)
    with suppress(ValueError):  # ours are, and no other exception is
        summarize_recording(read_recording(tmp_path / "bag"))
        BagDataset([tmp_path / "bag"]).episode(0)


def test_sqlite_bags_are_read_too(tmp_path):
    moving_bag(tmp_path / "bag", plugin=StoragePlugin.SQLITE3)
    assert len(BagDataset([tmp_path / "bag"])) == 1


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "no bag at"),
        (lambda path: path.mkdir(), "no bag in"),
        (lambda path: path.write_bytes(b""), "has no message"),
        (lambda path: BagWriter(path).close(), "has none of /action"),
    ],
)
def test_what_is_no_bag_of_the_node_is_named(tmp_path, make, problem, capsys):
    make(tmp_path / "bag")
    assert main(["bag", "report", str(tmp_path / "bag"), "--out", str(tmp_path / "p.html")]) == 2
    assert problem in capsys.readouterr().err


def test_a_bag_of_another_clock_than_its_stamps_is_named(tmp_path):
    bag = BagWriter(tmp_path / "bag")
    bag.say(1.7e9, "go home")
    for number in range(20):
        bag.joints(0.1 * number)
        bag.image(0.1 * number, np.zeros((64, 64, 3), np.uint8), late=1.7e9)
        bag.action(1.7e9 + 0.1 * number, 0.1 * number, [0.4, 0, 0.3, 1, 0, 0, 0])
    bag.close()
    with pytest.raises(BagError, match="record with the simulator's time"):
        BagDataset([tmp_path / "bag"])
    summary = summarize_recording(read_recording(tmp_path / "bag"))
    assert "record with the simulator's time" in summary["problem"]
    assert summary["camera_to_action_ms"]["p50"] is None
    assert summary["joints"] == []


@pytest.mark.parametrize(
    ("topic", "kind", "fields"),
    [
        ("/action", "std_msgs/msg/String", {"data": "no action"}),
        ("/recording", "std_msgs/msg/Bool", {"data": True}),
        ("/recording", "std_msgs/msg/String", {"data": "[" * 5000}),
        ("/recording", "std_msgs/msg/String", {"data": '{"contract": "name: 3"}'}),
    ],
)
def test_topics_of_other_people_are_named(tmp_path, topic, kind, fields):
    bag = BagWriter(tmp_path / "bag", contract=None)
    bag.say(0.0, "go home")
    bag.add(topic, kind, 0.1, **fields)
    bag.close()
    with pytest.raises(ValueError, match=r"bag|contract"):
        read_recording(tmp_path / "bag")


def test_episodes_by_words_end_with_stop_and_verdicts_come_after_it(tmp_path):
    bag = BagWriter(tmp_path / "bag")
    said = ("go home", "go home", "stop", "push the lemon left")
    for number, text in enumerate(said):
        bag.say(2.0 * number, text)
    bag.mark(5.9, 3)  # after the stop, and of what was stopped
    bag.mark(9.0, 2)
    bag.close()
    spans = read_recording(tmp_path / "bag").spans
    assert [(s.instruction, s.start, s.success) for s in spans] == [
        ("go home", 0.0, False), ("push the lemon left", 6.0, True),
    ]  # fmt: skip
    assert spans[0].end == pytest.approx(4.0)


def test_what_was_said_before_the_mark_is_what_the_episode_is_about(tmp_path):
    bag = BagWriter(tmp_path / "bag")
    bag.say(1.0, "push the lemon left")
    bag.mark(2.0, 0)
    bag.mark(3.0, 1)
    bag.mark(4.0, 3)
    bag.close()
    (span,) = read_recording(tmp_path / "bag").spans
    assert (span.instruction, span.success) == ("push the lemon left", False)


def test_a_bag_without_a_contract_needs_none_that_fits_or_one_that_is_named(tmp_path):
    moving_bag(tmp_path / "bag", contract=None)
    assert read_recording(tmp_path / "bag").robot.name == "panda_sim"
    other = read_recording(tmp_path / "bag", robot="ur5e")
    assert other.joints == []
    with pytest.raises(BagError, match="nothing to learn from"):
        BagDataset([tmp_path / "bag"], BagOptions(robot="ur5e"))
