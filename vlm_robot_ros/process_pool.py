"""Jobs in processes of their own, several at a time; what is done before one fails is not lost."""

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
    """Yield what a function returns of each job, in the order in which they end.

    Where that is left before its end, by Ctrl-C or an error, the jobs that run come to theirs and
    no others are begun.

    Args:
        function: Of a module, called with what a job holds.
        jobs: The arguments of each call.
        workers: Processes.
        begin: Called with what is `given`, once in each process, before its first job.
        given: As said.

    Raises:
        ChildProcessError: a worker died.
        Exception: as of `function` and `begin`.
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
