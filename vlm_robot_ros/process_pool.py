"""Runs jobs in several processes; results before a failure are not lost."""

import multiprocessing
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any


def map_in_processes(
    function: Callable[..., Any],
    jobs: Iterable[tuple],
    workers: int,
    begin: Callable[..., object] | None = None,
    given: tuple = (),
) -> Generator[Any, None, None]:
    """Yield the result of a function for each job, in the order in which they finish.

    If the generator is closed early, running jobs finish and pending ones are cancelled.

    Args:
        function: A module-level function.
        jobs: The arguments of each call.
        workers: Processes.
        begin: Called once in each process before its first job.
        given: Arguments of `begin`.

    Raises:
        ChildProcessError: a worker died, or `begin` failed in it.
        Exception: as of `function`.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, begin, given) as pool:
        try:
            for done in as_completed([pool.submit(function, *job) for job in jobs]):
                yield done.result()
        except BrokenProcessPool as error:
            raise ChildProcessError("a worker died") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
