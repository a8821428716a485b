"""Many bags to one LeRobotDataset: in parallel, resumable, on this machine or on a Ray cluster."""

import hashlib
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.bag_dataset import EVERYTHING, BagDataset, BagOptions
from vlm_robot_ros.bags.dataset_map import dataset_files
from vlm_robot_ros.process_pool import map_in_processes

ENGINES = ("processes", "ray")
VERSIONS = ("v3.0", "v2.1")
"""Of LeRobotDataset; v2.1, which openpi and GR00T read, comes with GR00T's modality.json."""
_Made = Generator[tuple[Path, str, str], None, None]
"""Bags, why each is left out, and what is wrong with those that are not; empty if nothing is."""


def convert_to_lerobot(
    bags: Sequence[Path],
    out: Path,
    options: BagOptions = EVERYTHING,
    workers: int = 1,
    engine: str = "processes",
    codec: str = "h264",
    version: str = "v3.0",
    progress: Callable[..., Iterable[Any]] = lambda each, total: each,
    warn: Callable[[str], None] = lambda line: None,
) -> tuple[int, int, dict[Path, str]]:
    """Write a dataset; a conversion that was interrupted goes on with the bags that are left.

    Args:
        bags: Of one robot.
        out: The dataset's folder. On a cluster all machines must see it, and the bags.
        options: What of them to take.
        workers: Processes.
        engine: One of `ENGINES`.
        codec: Of the videos: see `video_writer.CODECS`.
        version: Of the format: one of `VERSIONS`.
        progress: Wraps what is gone through, to show how far it is.
        warn: Is called with each problem of a bag that can be read only in part.

    Returns:
        How many episodes and frames there are, and of each bag that is left out, why.

    Raises:
        BagError: there are no bags, or nothing can be learned from any of them.
        DataError: they are of different robots, or `out` has a dataset already.
    """
    # pyarrow and av are an extra
    from vlm_robot_ros.data.formats.lerobot_parts import ensure_no_dataset
    from vlm_robot_ros.data.formats.lerobot_v21_writer import merge_parts_v21
    from vlm_robot_ros.data.formats.lerobot_writer import merge_shards
    from vlm_robot_ros.data.formats.video_writer import CODECS

    if codec not in CODECS:
        raise BagError(f"codec is '{codec}'; valid: {', '.join(CODECS)}")
    if engine not in ENGINES:
        raise BagError(f"engine is '{engine}'; valid: {', '.join(ENGINES)}")
    if version not in VERSIONS:
        raise BagError(f"version is '{version}'; valid: {', '.join(VERSIONS)}")
    if not bags:
        raise BagError("no bags; valid: folders of rosbag2, MCAP files, folders of these")
    ensure_no_dataset(out)
    unlike = {bag.resolve(): bag for bag in bags}
    how = f"{options} {codec} {version}"
    parts = {bag: out / ".parts" / _name(bag, how) for bag in unlike.values()}
    jobs = [
        (bag, part, options, codec, version == "v2.1")
        for bag, part in parts.items()
        if not part.exists()
    ]
    run = _on_ray if engine == "ray" else _in_processes
    with closing(run(jobs, workers)) as done:
        problems = {}
        for bag, why, problem in progress(done, total=len(jobs)):
            if why:
                problems[bag] = why
            if problem:
                warn(problem)
    made = [part for part in parts.values() if part.exists()]
    if not made:
        raise BagError("; ".join(problems.values()))
    counts = (merge_parts_v21 if version == "v2.1" else merge_shards)(made, out)
    shutil.rmtree(out / ".parts")
    return *counts, problems


def _convert_one(
    bag: Path, part: Path, options: BagOptions, codec: str, split_videos: bool
) -> tuple[Path, str, str]:
    """Make one part; returns the bag, why it is left out, and what is wrong with it if not."""
    from vlm_robot_ros.data.formats.lerobot_parts import write_part

    try:
        data = BagDataset([bag], options)
        write_part(data, part, codec, dataset_files(data), split_videos)
    except ValueError as error:
        return bag, str(error), ""
    except Exception as error:  # one bag must not end the conversion of thousands
        return bag, f"bag '{bag}': {error!r}", ""
    return bag, "", "; ".join(data.problems)


def _in_processes(jobs: Sequence[tuple], workers: int) -> _Made:
    if workers < 2 or len(jobs) < 2:
        yield from (_convert_one(*job) for job in jobs)
        return
    try:
        yield from map_in_processes(_convert_one, jobs, workers)
    except ChildProcessError as error:
        raise BagError(f"{error}; what was converted is kept: call again") from error


def _on_ray(jobs: Sequence[tuple], workers: int) -> _Made:
    """Spread the jobs over the cluster that RAY_ADDRESS names, or over a local one."""
    try:
        import ray
    except ImportError as error:
        raise BagError(f"engine ray needs Ray ({error}): pip install ray") from error
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    task = ray.remote(_convert_one)
    waiting = [task.remote(*job) for job in jobs]
    while waiting:
        done, waiting = ray.wait(waiting)
        yield from ray.get(done)


def _name(bag: Path, how: str) -> str:
    """Return a name for a bag's part that no other bag has, nor the same read in another way."""
    digest = hashlib.sha256(f"{bag.resolve()} {how}".encode()).hexdigest()[:8]
    return f"{bag.stem}-{digest}"
