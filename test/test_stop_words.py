"""What stops the arm without a model, however it is written, and what does not."""

import pytest

from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, InstructionKind
from vlm_robot_ros.runtime.instructions import next_instruction

STOPS = [
    "stop", "STOP!", "Stop, please.", "Stopp.", "Stopped.", "stopping", "stop\u2026",
    "stop\u00a0now", "s t o p", "S.T.O.P.", "st\u200bop", "st\u00adop", "\u2066stop\u2069",
    "STO\u0301P", "STOP\u0301", "\uff33\uff34\uff2f\uff30", "e-stop", "E stop", "estop", "stop1",
    "_stop_", "[stop]", "stop\nnow", "stop\u2019s", "don't stop",
    "pick up the red cube then stop", "halt!", "halted", "freeze", "freezing", "froze", "abort",
    "aborting", "cancel that", "Cancelled.", "canceled", "whoa", "woah", "who said stop?",
]  # fmt: skip
PAUSES = [
    "wait", "Wait!", "hold on", "Hold on.", "pause", "hold it", "hold still", "hang on",
    "please wait", "wait please", "wait a moment", "just a second", "hold on a minute, please",
    "ok robot, wait", "can you pause, please?", "wait, wait", "wa\u200bit",
    "\uff57\uff41\uff49\uff54", "one moment, please",
]  # fmt: skip
TASKS = [
    "pick up the red cube", "unstoppable", "stopwatch", "it's top of the list", "put it on top",
    "wait for the red cube", "hold the red cube", "pick up the pause button", "please", "now",
    "hold on to the red cube",
]  # fmt: skip


@pytest.mark.parametrize("text", [*STOPS, *PAUSES])
def test_stop_words_stop_however_they_are_written(text):
    assert next_instruction(EMPTY_INSTRUCTION, text).kind is InstructionKind.STOP


@pytest.mark.parametrize("text", TASKS)
def test_words_that_only_look_alike_are_tasks(text):
    assert next_instruction(EMPTY_INSTRUCTION, text).kind is InstructionKind.TASK


def test_an_instruction_is_read_without_invisible_characters():
    said = next_instruction(
        EMPTY_INSTRUCTION, "pick\u200b up\u2066 the \uff52\uff45\uff44 cube\u202e"
    )
    assert said.text == "pick up the red cube"
