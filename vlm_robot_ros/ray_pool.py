"""Runs jobs on the machines of a Ray cluster, as `process_pool` does on one."""

import socket
from collections.abc import Callable, Generator, Iterable
from typing import Any

_CONNECT_TIMEOUT_S = 10.0


class _Worker:
    """Runs jobs one after the other, in a process of its own."""

    def __init__(
        self, function: Callable[..., Any], begin: Callable[..., object], given: tuple
    ) -> None:
        begin(*given)
        self._function = function

    def run(self, *job: object) -> Any:  # what the function returns
        return self._function(*job)


def map_on_ray(
    address: str,
    function: Callable[..., Any],
    jobs: Iterable[tuple],
    workers: int,
    begin: Callable[..., object],
    given: tuple,
) -> Generator[Any, None, None]:
    """Yield the result of a function for each job, in the order in which they finish.

    Each machine needs this package, and what the function needs, at the same paths.

    Args:
        address: Of the cluster: "auto" for the one that this machine belongs to, or HOST:PORT.
        function: A module-level function.
        jobs: The arguments of each call.
        workers: Processes in all, spread over the machines; each takes one CPU.
        begin: Called once in each process before its first job.
        given: Arguments of `begin`.

    Raises:
        ValueError: Ray is not installed, there is no such cluster, or it has fewer CPUs.
        ChildProcessError: a worker died, or `begin` failed in it.
        Exception: as of `function`.
    """
    try:
        import ray
        from ray.util import ActorPool
    except ImportError as error:
        raise ValueError("a cluster needs Ray: pip install ray") from error
    try:
        _check_reachable(address)
        ray.init(address, log_to_driver=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"no Ray cluster at '{address}' ({error}); start one: "
                         "ray start --head, and ray start --address HOST:PORT on others"
                         ) from error  # fmt: skip
    try:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if workers > cpus:
            raise ValueError(f"{workers} workers; valid: 1 to {cpus}, the CPUs of the cluster")
        worker = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_Worker)
        pool = ActorPool([worker.remote(function, begin, given) for _ in range(workers)])
        try:
            yield from pool.map_unordered(lambda each, job: each.run.remote(*job), jobs)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayActorError as error:
            raise ChildProcessError(f"a worker died: {error}") from error
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Try an address: Ray itself would wait for minutes.

    Raises:
        OSError: nobody listens there.
        ValueError: it is no address.
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S).close()
