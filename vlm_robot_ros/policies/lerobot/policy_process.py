"""A policy of LeRobot, computed in a process of LeRobot's own interpreter."""

import os
import shutil
import time
from collections.abc import Mapping
from typing import Any

from vlm_robot_ros.paths import user_path
from vlm_robot_ros.pipe_messages import RequestError
from vlm_robot_ros.piped_process import PipedProcess, PipedProcessError
from vlm_robot_ros.policies.lerobot import policy_server
from vlm_robot_ros.policies.remote.policy_address import LEROBOT_SCHEME
from vlm_robot_ros.policies.remote.policy_client import (
    KEY_VARIABLE,
    ConnectionPause,
    RemotePolicyError,
    short_text,
)

PYTHON_VARIABLE = "VLM_ROBOT_LEROBOT_PYTHON"
"""Environment variable with the path of an interpreter that has LeRobot."""
LOAD_TIMEOUT_S = 600.0
"""A policy is loaded in this time, or not at all [s]."""


class LerobotProcess:
    """Asks a policy of LeRobot, one request at a time; begins its process again when it ends."""

    def __init__(
        self, name: str, python: str, device: str, timeout: float, threads: int = 0
    ) -> None:
        """Load the policy, and wait until it is loaded.

        Args:
            name: `lerobot:` and the path of a `pretrained_model` folder, or its name on the hub.
            python: An interpreter that has LeRobot; that of `PYTHON_VARIABLE` if empty.
            device: Where LeRobot computes, as torch calls it; `auto`: on a GPU where it has one.
            timeout: For an answer [s].
            threads: Of the CPU; 0: as LeRobot has it.

        Raises:
            ValueError: the path or the interpreter is not valid, or the policy cannot be loaded.
        """
        self.url, self._timeout = name, timeout
        path = name.removeprefix(f"{LEROBOT_SCHEME}:")
        self._command = [*_command(path, python), "--device", device, "--threads", str(threads)]
        self._pause = ConnectionPause()
        self.metadata: dict[str, Any] = {}
        """What the checkpoint says of itself: type, inputs, outputs, steps, names."""
        try:
            self._process = self._start()
            self._wait_until_loaded(self._process, LOAD_TIMEOUT_S)
        except RemotePolicyError as error:
            raise ValueError(f"policy {error}") from error

    def infer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return the policy's actions: `{"action": (H, A) float32}`.

        Raises:
            RemotePolicyError: there are none; says why.
        """
        return self._ask("infer", observation)

    def select(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return what LeRobot's own loop does next: `{"action": (1, A) float32}`.

        Raises:
            RemotePolicyError: it does not answer; says why.
        """
        return self._ask("select", observation)

    def reset(self) -> None:
        """Begin an episode.

        Raises:
            RemotePolicyError: it does not answer; says why.
        """
        self._ask("reset", {})

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _ask(self, call: str, observation: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._exchange(self._running(), {"call": call, **observation})
        self._pause.on_success()
        if "error" in answer:
            raise RemotePolicyError(f"'{self.url}': {short_text(str(answer['error']))}")
        return answer

    def _running(self) -> PipedProcess:
        """Return the process, once the policy is loaded in it."""
        if self._process.has_ended:
            self._pause.check()
            self.close()
            self._process = self._start()
        if not self.metadata:
            self._wait_until_loaded(self._process, 0.0)
        return self._process

    def _start(self) -> PipedProcess:
        self.metadata = {}
        try:
            return PipedProcess(self._command, without=(KEY_VARIABLE,))
        except OSError as error:
            raise self._pause.on_failure(f"'{self.url}': {error}") from error

    def _wait_until_loaded(self, process: PipedProcess, timeout: float) -> None:
        ready = process.wait_for_answer(timeout)
        taken = time.monotonic() - process.begun
        if not ready and taken > LOAD_TIMEOUT_S:
            raise self._failure(process, f"it is not loaded after {taken:.0f} s")
        if not ready:
            raise RemotePolicyError(f"'{self.url}' is being loaded again, for {taken:.0f} s now")
        answer = self._exchange(process)
        if "error" in answer:
            raise self._failure(process, short_text(str(answer["error"])))
        self.metadata = dict(answer["about"])

    def _exchange(
        self, process: PipedProcess, request: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a request, if there is one, and return the next answer.

        A process that takes longer than the timeout is ended.
        """
        try:
            return process.exchange(request, self._timeout)
        except RequestError as error:
            raise RemotePolicyError(f"'{self.url}': {error}") from error
        except PipedProcessError as error:
            raise self._failure(process, str(error)) from error

    def _failure(self, process: PipedProcess, problem: str) -> RemotePolicyError:
        # An answer that comes later would be taken for that to the next request.
        process.close()
        return self._pause.on_failure(f"'{self.url}': {problem}")


def _command(path: str, python: str) -> list[str]:
    """Return the command of the process, without options.

    Raises:
        ValueError: there is no such checkpoint or interpreter.
    """
    local = user_path(path)
    if not path or (path[0] in "/.~" and not (local / "config.json").is_file()):
        raise ValueError(
            f"policy '{LEROBOT_SCHEME}:{path}': no config.json in '{local}'; valid: the "
            "pretrained_model folder of a checkpoint of LeRobot, or its name on the hub"
        )
    given = python or os.environ.get(PYTHON_VARIABLE, "")
    found = shutil.which(user_path(given)) if given else None
    if found is None:
        raise ValueError(
            f"policy '{LEROBOT_SCHEME}:{path}': the interpreter is '{given}'; valid: the path of "
            f"a Python that has LeRobot, as lerobot_python:=... or in {PYTHON_VARIABLE}"
        )
    where = str(local) if (local / "config.json").is_file() else path
    return [found, policy_server.__file__, where]
