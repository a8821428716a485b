"""A policy in a process of its own: whatever it does, the node keeps its time and its arm."""

import faulthandler
import multiprocessing
import os
import pickle
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

import numpy as np

from vlm_robot_ros.inference.malloc_trim import trim_malloc_heap
from vlm_robot_ros.inference.shared_memory import SharedArrayReader, SharedArrayWriter
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.interfaces.scene_object import SceneObject
from vlm_robot_ros.realtime import set_thread_priority

_POLL_PERIOD_S = 0.2
"""Who waits for a process looks so often whether it lives [s]."""
_LOAD_TIMEOUT_FACTOR = 10
"""It is loaded again in so many times the time that an answer may take, or not at all."""
_MAY_LACK: dict[str, object] = {"points": {}, "objects": []}
"""Properties that not all policies have, and what is answered for these."""


class PolicyError(Exception):
    """What went wrong in the policy's process; prints as the error there did."""

    def __repr__(self) -> str:
        return str(self)


class SubprocessPolicy:
    """Is a `Policy`; its process ends with this one, and is begun again when it dies or hangs.

    Python lets one thread of a process compute at a time. A policy beside the control loop would
    keep it waiting, and end it with itself. It forgets everything when it is begun again.
    """

    def __init__(
        self, make: Callable[[], Policy], patience: float = 30.0, priority: int = 0
    ) -> None:
        """Start it and wait until it is ready.

        Args:
            make: Makes the policy, there: a function of a module, or a `partial` of one.
            patience: How long an answer may take before it is begun again [s].
            priority: Of SCHED_FIFO, where it is granted, while it waits for a question and takes
                it: 1 to 99; 0 is ordinary. What the policy does is ordinary.

        Raises:
            ValueError: `make` fails there.
        """
        self._make, self._patience, self._priority = make, patience, priority
        self._closed = False
        self.begun = 0
        """How often it was begun: where this changes, it has forgotten everything."""
        self._asking, self._living = threading.Lock(), threading.Lock()
        self._start(None)

    @property
    def cameras(self) -> tuple[str, ...]:
        """As of the policy."""
        return self._cameras

    @property
    def replan_steps(self) -> int:
        """After how many steps of a chunk the policy wants to be asked again; 0: at each image."""
        return self._replan_steps

    @property
    def joined_steps(self) -> int:
        """How many steps shall join a chunk to the one before; negative: it does not say."""
        return self._joined_steps

    @property
    def pid(self) -> int:
        """Of its process now."""
        return self._pid

    @property
    def points(self) -> dict[str, np.ndarray]:
        """Where the policy believes things to be, by their roles; not all policies tell of any."""
        return self._call("points")

    @property
    def objects(self) -> list[SceneObject]:
        """What the policy has last seen; not all policies tell of anything."""
        return self._call("objects")

    def reset(self) -> None:
        """As of the policy."""
        self._call("reset")

    def next_instruction(self) -> None:
        """As of the policy."""
        self._call("next_instruction")

    def infer(self, observation: Observation) -> ActionChunk:
        """As of the policy.

        Raises:
            PolicyError: the policy has failed, has died, or did not answer in time.
        """
        return self._call("infer", observation)

    def draw(self) -> np.ndarray | None:
        """As of the policy."""
        return self._call("draw")

    def close(self) -> None:
        """End it; who waits for an answer gets an error."""
        self._closed = True
        with self._living:
            self._kill()
        with self._asking:  # who waits has noticed
            self._close_pipes()

    def _call(self, name: str, *given: object) -> Any:
        with self._asking:
            try:
                self._desk.send(self._pipe, (name, given))
                answered = self._wait(self._patience)
                error, result = self._pipe.recv() if answered else ("", None)
            except (EOFError, OSError):
                raise PolicyError(self._restart()) from None
            if not answered:
                raise PolicyError(self._restart(f"has not answered for {self._patience:.0f} s"))
        if error:
            raise PolicyError(error)
        return result

    def _wait(self, limit: float) -> bool:
        """Wait for an answer, so long [s]; returns whether there is one.

        Raises:
            EOFError: the process has ended, even if one that it has begun keeps the pipe open.
        """
        ready = [each for each, _ in self._ears.poll(1e3 * limit)]
        if ready and self._pipe.fileno() not in ready and not self._pipe.poll():
            raise EOFError
        return bool(ready)

    def _restart(self, problem: str = "") -> str:
        """Start again; returns what to say about it."""
        problem = problem or f"has ended {_exit_description(self._process)}"
        with self._living:
            if self._closed:
                return "its process was ended"
            self._stop_process()
            try:
                self._start(_LOAD_TIMEOUT_FACTOR * self._patience)
            except ValueError as error:
                return f"its process {problem}, and it cannot be begun again: {error}"
        return f"its process {problem}, and was begun again"

    def _stop_process(self) -> None:
        self._kill()
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._pipe.close()
        self._life.close()

    def _kill(self) -> None:
        self._at_exit.cancel()
        self._process.kill()
        _wait_for(self._process, 5.0)

    def _start(self, limit: float | None) -> None:
        """Start it and wait until it is ready, so long [s]."""
        context = multiprocessing.get_context("spawn")
        self._desk = SharedArrayWriter()
        try:
            self._pipe, theirs = context.Pipe()
            with theirs:
                # Not a daemon: those may have no processes of their own.
                given = theirs, self._make, self._patience, self._priority
                process = context.Process(target=_serve, args=given, name="policy")
                process.start()
            assert process.pid is not None
            try:
                self._life = open(os.pidfd_open(process.pid), "rb", buffering=0)  # noqa: SIM115
            except OSError:
                process.kill()
                raise
        except OSError as problem:
            raise ValueError(f"the policy's process cannot be started: {problem}") from problem
        self._at_exit = Finalize(None, process.kill, exitpriority=10)  # or Python would wait
        self._process, self._pid = process, process.pid
        self._ears = select.poll()  # `Connection.poll` makes one again each time
        for each in (self._pipe, self._life):
            self._ears.register(each, select.POLLIN)
        self.begun += 1
        begun, error = time.monotonic(), ""
        self._cameras, self._replan_steps, self._joined_steps = (), 0, -1
        try:
            while not self._wait(_POLL_PERIOD_S):
                if self._closed or (limit and time.monotonic() - begun > limit):
                    self._stop_process()
                    raise ValueError("the policy's process was not ready in time, or not wanted")
            error, (self._cameras, self._replan_steps, self._joined_steps) = self._pipe.recv()
        except EOFError:
            error = f"the policy's process ended while it was loaded, {_exit_description(process)}"
        if error:
            raise ValueError(error)


def _serve(
    pipe: "Connection[Any, Any]", make: Callable[[], Policy], patience: float, priority: int
) -> None:
    """Be the other process: answer until nobody asks any more."""
    for ending in (signal.SIGINT, signal.SIGHUP):  # they are for the node, which ends this one
        signal.signal(ending, signal.SIG_IGN)
    taker, made, asker = SharedArrayReader(), threading.Event(), os.getppid()

    def watch() -> None:
        while not made.wait(_POLL_PERIOD_S):
            if os.getppid() != asker:
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    with suppress(EOFError, OSError):
        try:
            policy = make()
            made.set()
        except Exception as error:
            pipe.send((str(error.args[0] if isinstance(error, KeyError) else error), ((), 0, -1)))
            return
        replan_steps = int(getattr(policy, "replan_steps", 0))
        joined_steps = int(getattr(policy, "joined_steps", -1))
        pipe.send(("", (tuple(policy.cameras), replan_steps, joined_steps)))
        while True:
            # Who asks ends what hangs. Where that one is dead, it ends itself, even if it lets no
            # other thread go on. That takes 0.1 ms, so while nobody waits for an answer.
            faulthandler.dump_traceback_later(3 * patience, exit=True)
            set_thread_priority(priority)
            if not pipe.poll(patience):
                continue
            name, given = taker.receive(pipe)
            set_thread_priority(0)  # the rest is anybody's code
            try:
                answer = pickle.dumps(("", _answer(policy, name, given)))
            except Exception as error:  # anybody's code
                answer = pickle.dumps((repr(error), None))
            pipe.send_bytes(answer)
            trim_malloc_heap()


def _answer(policy: Policy, name: str, given: tuple[Any, ...]) -> object:
    if name in _MAY_LACK:
        return getattr(policy, name, _MAY_LACK[name])
    return getattr(policy, name)(*given)


def _wait_for(process: BaseProcess, limit: float) -> None:
    """Wait so long [s] for its end; `join` waits for who was begun by it, too."""
    end = time.monotonic() + limit
    while process.is_alive() and time.monotonic() < end:
        time.sleep(0.01)


def _exit_description(process: BaseProcess) -> str:
    _wait_for(process, 1.0)
    code = process.exitcode
    if code is not None and code < 0:
        return f"by signal {signal.Signals(-code).name}"
    return f"with status {code}"
