"""Jobs on a Ray cluster of two local nodes."""

import operator
import os
import sys

import pytest

from vlm_robot_ros.ray_pool import map_on_ray

ray = pytest.importorskip("ray", reason="Ray is not installed")


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # nodes do not see it
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


def test_jobs_run_on_all_nodes(cluster, tmp_path):
    jobs = [(number,) for number in range(20)]
    done = list(map_on_ray(cluster.address, _double, jobs, 2, os.chdir, (tmp_path,)))
    assert sorted(value for value, _, _ in done) == [2 * number for number in range(20)]
    assert {folder for _, folder, _ in done} == {str(tmp_path)}
    assert len({node for _, _, node in done}) == 2


def test_an_error_of_a_job_is_its_own(cluster):
    with pytest.raises(ZeroDivisionError):
        list(map_on_ray(cluster.address, operator.truediv, [(1, 0)], 1, os.chdir, ("/",)))


def test_a_worker_that_dies_is_told(cluster):
    with pytest.raises(ChildProcessError, match="a worker died"):
        list(map_on_ray(cluster.address, os._exit, [(3,)], 1, os.chdir, ("/",)))


def test_too_many_workers_are_refused(cluster):
    with pytest.raises(ValueError, match="99 workers; valid: 1 to 2"):
        list(map_on_ray(cluster.address, abs, [(1,)], 99, os.chdir, ("/",)))


def test_without_a_cluster_the_error_says_how_to_start_one():
    with pytest.raises(ValueError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        list(map_on_ray("127.0.0.1:1", abs, [(1,)], 1, os.chdir, ("/",)))


def _double(number):
    return 2 * number, os.getcwd(), ray.get_runtime_context().get_node_id()
