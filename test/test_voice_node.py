"""The voice node: sound on a topic becomes instructions on another."""

import wave

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool, Int16MultiArray, String
from voices import needs_flite, speak

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.msg import Heard
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ


@pytest.mark.long
@needs_flite
def test_it_sends_what_is_meant_for_the_arm_and_says_what_is_not(graph):
    heard, words = graph.listen(Heard, "heard"), graph.listen(String, "instruction")
    audio = graph.node.create_publisher(Int16MultiArray, "audio", 1000)
    talk = graph.node.create_publisher(Bool, "talk", 10)
    health = graph.listen(DiagnosticArray, "/diagnostics")
    graph.start("voice_node", source="topic", push_to_talk=True)
    assert graph.until(
        lambda: audio.get_subscription_count() and talk.get_subscription_count(), 100.0
    )

    def play(text):
        audio.publish(Int16MultiArray(data=speak(text).tolist()))

    assert graph.until(lambda: health)
    assert health[-1].status[0].message == "hears nothing: no sound yet"
    play("open your hand")
    noise, told = speak("stop")[:SAMPLE_RATE_HZ].tolist(), [len(health)]

    def listening():
        # Noise again where the node had no time to tell before the sound was over.
        last = health[-1].status[0].message
        if "no sound for" in last and len(health) > told[-1]:
            told.append(len(health))
            audio.publish(Int16MultiArray(data=noise))
        return last == "listening"

    assert graph.until(listening)
    assert graph.until(lambda: heard, 60.0)
    assert (heard[0].text, heard[0].sent) == ("open your hand", False)
    assert "nobody pushes to talk" in heard[0].reason
    assert not words
    play("stop")
    assert graph.until(lambda: words, 60.0), "a stop needs no push"
    assert words[0].data.startswith("stop")
    talk.publish(Bool(data=True))

    def understood():
        # Again until the push has come: topics keep no order among them.
        if len(heard) > said[-1]:
            said.append(len(heard))
            play("pick up the red cube")
        return words[-1].data == "pick up the red cube"

    said = [0]
    assert graph.until(understood, 100.0)

    def sent():
        return [each for each in heard if each.text == words[-1].data and each.sent]

    assert graph.until(sent), "topics keep no order among them"
    told = sent()[0]
    assert told.sureness > 0.5
    assert told.seconds > 0
    assert not told.reason


@pytest.mark.long
@needs_flite
def test_it_plays_a_file(graph, tmp_path):
    with wave.open(str(tmp_path / "said.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes(speak("open the gripper").tobytes())
    words = graph.listen(String, "instruction")
    graph.start("voice_node", source=tmp_path / "said.wav")
    assert graph.until(lambda: words, 100.0)
    assert words[0].data == "open the gripper"


@pytest.mark.long
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"source": "gramophone"}, "valid: microphone, topic, or a path of a .wav"),
        ({"source": "/nowhere.wav"}, "valid: a wav file of 16-bit samples"),
        ({"source": "topic", "recogniser": "vosk"}, "valid: pocketsphinx, whisper:FOLDER"),
        ({"source": "topic", "min_sureness": 2.0}, "valid: 0.0 to 1.0"),
    ],
)
def test_wrong_parameters_are_refused(graph, parameters, said):
    process = graph.start("voice_node", **parameters)
    errors = graph.ended(process)
    assert process.returncode == 1
    assert said in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "command", [["demo", "--voice", "topic"], ["console", "--voice", "topic"]]
)
def test_the_voice_is_for_who_gives_the_commands(command, capsys):
    assert main(command) != 0
    assert "--voice is for --" in capsys.readouterr().err
