"""A thread that always works on the newest job and skips those that waited too long."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Worker(Generic[Job]):
    """Runs `work(job)` off the executor; a job that comes meanwhile replaces a waiting one."""

    def __init__(self, work: Callable[[Job], None]) -> None:
        """Start the thread; `work` deals with its own errors."""
        self._work = work
        self._job: Job | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Hand over the newest job."""
        with self._changed:
            self._job = job
            self._changed.notify()

    def stop(self) -> None:
        """Drop what waits and end the thread; what is being worked on has a second to finish."""
        with self._changed:
            self._stopping, self._job = True, None
            self._changed.notify()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._job is not None)
                if self._stopping:
                    return
                job, self._job = self._job, None
            assert job is not None
            self._work(job)
