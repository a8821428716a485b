"""What all tests share."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pytest

# torch.optim brings libtriton, which crashes when loaded after the LLVM that draws for MuJoCo.
import torch._dynamo
from bags import DEMO_COMMANDS
from filelock import FileLock

# As many threads as the node has: sums in another order are others in the last bits; and beside
# other work, such as nodes that a test has started, two wait for each other.
torch.set_num_threads(1)
# DDS domains of this run's own, unless a first one is chosen, and of each of its workers.
_DOMAINS = 100
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
_WORKER_DOMAINS = _DOMAINS // _WORKERS
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker inherits the first domain of the run
    _number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    os.environ["ROS_DOMAIN_ID"] = str(
        1 + (int(os.environ["ROS_DOMAIN_ID"]) - 1 + _number * _WORKER_DOMAINS) % _DOMAINS
    )
else:
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % _DOMAINS))
# Under nohup hang-ups stay unheard here, but not by what is started: a handler is not inherited.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_collection_modifyitems(items):
    """Mark the tests that start nodes or talk to them."""
    for item in items:
        if {"graph", "lasting_graph", "demo"} & set(item.fixturenames):
            item.add_marker(pytest.mark.ros)


class Graph:
    """A graph of its own, with a node of the test's and the processes that it has started."""

    _made = 0

    def __init__(self):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        # Not the first one, which is for processes that tests start without a graph.
        number = 1 + Graph._made % (_WORKER_DOMAINS - 1)
        self.domain = 1 + (int(os.environ["ROS_DOMAIN_ID"]) - 1 + number) % _DOMAINS
        Graph._made += 1
        self._context = rclpy.Context()
        self._context.init(domain_id=self.domain)
        self.node = rclpy.create_node("test_node", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._processes, self._clients = [], {}

    def until(self, done, seconds=60.0):
        """Handle what comes until `done()`; returns what that said last."""
        end = time.monotonic() + seconds
        while not (found := done()) and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.05)
        return found

    def until_up(self, done):
        """Wait until `done()` for what was just started; what ends instead says why."""
        running = [process for process in self._processes if process.poll() is None]
        ended = lambda: [process for process in running if process.poll()]  # noqa: E731
        self.until(lambda: done() or ended(), 100.0)
        errors = [self.ended(process) for process in ended()]
        assert done(), f"it did not come up: {errors}"

    def listen(self, kind, topic, qos=100):
        """Return a list that fills with the messages of a topic."""
        got = []
        self.node.create_subscription(kind, topic, got.append, qos)
        return got

    def ask(self, kind, name, **request):
        """Call a service and return the future of its answer."""
        # One client for all calls: who answers a new one may not know yet where to send it.
        client = self._clients.get(name) or self.node.create_client(kind, name)
        self._clients[name] = client
        assert self.until(client.service_is_ready, 100.0), f"no service {name}"
        return client.call_async(kind.Request(**request))

    def call(self, kind, name, **request):
        """Call a service and return its answer."""
        future = self.ask(kind, name, **request)
        assert self.until(future.done), f"{name} does not answer"
        return future.result()

    def start(self, name, namespace="/", remaps=(), **parameters):
        """Start one of our nodes as a process; `remaps` as in `from:=to`."""
        code = f"import sys; from vlm_robot_ros.nodes.{name} import main; sys.exit(main())"
        assign = [part for key, value in parameters.items() for part in ("-p", f"{key}:={value}")]
        rules = (f"__ns:={namespace}", *remaps)
        remap = [part for rule in rules for part in ("-r", rule)]
        return self.python("-c", code, "--ros-args", *remap, *assign)

    def python(self, *arguments, **options):
        """Start a Python process in this graph."""
        environment = {**os.environ, "ROS_DOMAIN_ID": str(self.domain)}
        # A file, not a pipe that nobody reads: what is full blocks who writes.
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        options = {"stderr": errors, "text": True, **options}
        process = subprocess.Popen([sys.executable, *arguments], env=environment, **options)
        process.errors = errors
        self._processes.append(process)
        return process

    def ended(self, process, seconds=100.0):
        """Wait for the end of a process; returns what it wrote to stderr."""
        process.communicate(timeout=seconds)
        process.errors.seek(0)
        return process.errors.read()

    def close(self):
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._processes:
            try:
                process.communicate(timeout=20)
            except (subprocess.TimeoutExpired, ValueError):
                process.kill()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.shutdown()


@pytest.fixture(autouse=True)
def _ordinary_priority():
    """Give back a real-time priority that a test took: nodes of later tests would inherit it."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    if os.sched_getscheduler(0) != before[0]:
        os.sched_setscheduler(0, *before)
        warnings.warn("the test left its process at a real-time priority", stacklevel=1)


@pytest.fixture
def graph():
    yield from _graph()


@pytest.fixture(scope="module")
def lasting_graph():
    """As `graph`, for all tests of a file."""
    yield from _graph()


def _graph():
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    made = Graph()
    yield made
    made.close()


@pytest.fixture(scope="module")
def sim():
    """The simulated arm, for all tests of a file."""
    from vlm_robot_ros.robot.loader import load_robot
    from vlm_robot_ros.sim.simulator import Simulator

    simulator = Simulator(load_robot("panda_sim"))
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def scene(sim):
    """An image of a scene and the name of an object in it."""
    from vlm_robot_ros.tasks.scene import sample_scene

    sim.reset(sample_scene(np.random.default_rng(77)))
    return sim.render("front"), sim.scene.things[0].name


@pytest.fixture(scope="session")
def shipped():
    """The folder of the shipped checkpoint."""
    from vlm_robot_ros.paths import share_dir

    return share_dir() / "checkpoints" / "panda_sim"


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    """A folder of three recorded episodes."""
    from vlm_robot_ros.cli.main import main

    folder = tmp_path_factory.mktemp("demos")
    command = ["collect", "--out", str(folder), "--episodes", "3", "--seed", "7"]
    assert main([*command, "--workers", "1"]) == 0
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder that a demo of some commands left, and what it printed."""
    # One for all workers of a run.
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    out, printed = shared / "demo" / "run", shared / "demo.txt"
    with FileLock(shared / "demo.lock"):
        if not printed.exists():
            printed.write_text(_run_demo(out))
    return out, printed.read_text()


def _run_demo(out):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "demo", "--seed", "4"]
    done = subprocess.run(
        [*command, "--commands", str(DEMO_COMMANDS), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    log = out / "nodes.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    return done.stdout
