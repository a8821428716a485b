"""A recogniser in a process of its own: while it thinks, nobody is kept from hearing."""

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from vlm_robot_ros.speech.recognition import Transcript, make_recogniser
from vlm_robot_ros.speech.voice_activity import Utterance


class SubprocessRecogniser:
    """Is a `Recogniser`; its process ends with this one."""

    def __init__(self, name: str, wake_word: str = "", patience: float = 60.0) -> None:
        """Start it and wait until it is ready; arguments and errors of `make_recogniser`.

        Who has not heard what was said after `patience` seconds is begun again.
        """
        self._given, self._closed, self._patience = (name, wake_word), False, patience
        self._start()

    @property
    def pid(self) -> int:
        """Of its process now."""
        assert self._process.pid is not None
        return self._process.pid

    def transcribe(self, utterance: Utterance) -> Transcript:
        """Return what was said; nothing, and a new process, where it failed."""
        try:
            self._pipe.send(utterance)
            if self._pipe.poll(self._patience):
                return self._pipe.recv()
            self._process.kill()
            raise EOFError
        except (EOFError, OSError):
            if not self._closed:
                self._start()
            return Transcript("", 0.0)

    def close(self) -> None:
        """End it; who waits for an answer hears nothing."""
        self._closed = True
        self._process.kill()
        self._process.join(5.0)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._given), daemon=True)
        self._process.start()
        theirs.close()
        try:
            error = self._pipe.recv()
        except EOFError:
            error = f"the recogniser '{self._given[0]}' ended while it was loaded"
        if error:
            raise ValueError(error)


def _serve(pipe: "Connection[Any, Any]", name: str, wake_word: str) -> None:
    try:
        recogniser = make_recogniser(name, wake_word)
    except (ValueError, ImportError) as error:
        pipe.send(str(error))
        return
    pipe.send("")
    try:
        while True:
            pipe.send(recogniser.transcribe(pipe.recv()))
    except (EOFError, OSError):
        return  # nobody listens any more
