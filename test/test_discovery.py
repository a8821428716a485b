"""A demo's nodes are not reachable from other machines unless that is asked."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vlm_robot_ros.dds_discovery import discovery_environment
from vlm_robot_ros.paths import config_dir, dds_profile_variable

PROFILE = dds_profile_variable()
SHIPPED = str(config_dir() / "fastdds.xml")
LOCAL = str(config_dir() / "fastdds_localhost.xml")
RANGE, PEERS = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS"


@pytest.mark.parametrize("given", [{}, {PROFILE: SHIPPED}, {PEERS: "192.0.2.1"}, {RANGE: ""}])
def test_a_demo_stays_on_this_machine(given):
    assert discovery_environment(False, given) == {RANGE: "LOCALHOST", PEERS: "", PROFILE: LOCAL}


@pytest.mark.parametrize("own", [{RANGE: "SUBNET"}, {RANGE: "OFF"}, {"ROS_LOCALHOST_ONLY": "1"}])
def test_a_range_that_the_user_has_set_stays(own):
    assert discovery_environment(False, own) == {PROFILE: SHIPPED}
    assert discovery_environment(False, {**own, PROFILE: "/mine.xml"}) == {}


def test_a_profile_of_the_users_own_stays():
    given = {PROFILE: "/mine.xml"}
    assert discovery_environment(False, given) == {RANGE: "LOCALHOST", PEERS: ""}


def test_with_the_network_option_nothing_is_narrowed():
    assert discovery_environment(True, {}) == {PROFILE: SHIPPED}
    assert discovery_environment(True, {PROFILE: SHIPPED, PEERS: "192.0.2.1"}) == {}


# It publishes until it is ended, whatever it has heard: the others may not have heard it yet.
_NODE = """
import sys
import time
import rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node(sys.argv[1])
got = []
node.create_subscription(String, "text", got.append, 10)
text = node.create_publisher(String, "text", 10)
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[2])
answer = None
while True:
    text.publish(String(data=sys.argv[1]))
    rclpy.spin_once(node, timeout_sec=0.1)
    heard = any(each.data != sys.argv[1] for each in got)
    if answer is None and (heard or time.monotonic() > end):
        answer = "heard" if heard else "nothing"
        print(answer, flush=True)
"""


def start(name, seconds, variables, *prefix):
    """Start a node that says within `seconds` whether it has heard another one."""
    environment = {**os.environ, "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID", "1")}
    for variable in (RANGE, PEERS, "ROS_LOCALHOST_ONLY"):
        environment.pop(variable, None)
    command = [*prefix, sys.executable, "-c", _NODE, name, str(seconds)]
    process = subprocess.Popen(
        command, env={**environment, **variables}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def answers_of(*processes):
    """Wait until each has said whether it has heard another one, and end them."""
    try:
        return {process.stdout.readline().strip() for process in processes}
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=20)


@pytest.fixture
def other_machine():
    """A command that runs another one in a network with a /dev/shm of its own; our address."""
    name = f"vlm{os.getpid()}"
    # A network of each worker's own: two with the same addresses would not reach each other.
    first = 1 + 4 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    ours, theirs = f"198.51.100.{first}", f"198.51.100.{first + 1}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name}a type veth peer name {name}b",
        f"ip link set {name}b netns {name}",
        f"ip addr add {ours}/30 dev {name}a",
        f"ip link set {name}a up",
        f"ip -n {name} addr add {theirs}/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for command in commands:
            try:
                subprocess.run(command.split(), check=True, capture_output=True, timeout=20)
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"needs to make a network namespace: {error}")
        shell = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        command = ["ip", "netns", "exec", name, "unshare", "-m", "sh", "-c", shell, "sh"]
        yield command, ours
    finally:
        for command in (f"ip link del {name}a", f"ip netns del {name}"):
            subprocess.run(command.split(), capture_output=True, timeout=20)


@pytest.mark.long
@pytest.mark.parametrize(("network", "reached"), [(True, True), (False, False)])
def test_another_machine_that_names_this_one_reaches_it_only_if_asked(
    other_machine, network, reached
):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    command, address = other_machine
    ours = start("ours", 60 if reached else 12, discovery_environment(network, {}))
    theirs = start("theirs", 60 if reached else 8, {PEERS: address}, *command)
    assert answers_of(ours, theirs) == ({"heard"} if reached else {"nothing"})


def test_other_nodes_of_this_machine_reach_it():
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    ours = start("ours", 60, discovery_environment(False, {}))
    theirs = start("theirs", 60, {})
    assert answers_of(ours, theirs) == {"heard"}


def test_the_demos_processes_listen_on_loopback_only(tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    process = start("ours", 60, discovery_environment(False, {}))
    try:
        time.sleep(0.5)  # sockets are there when the node is; this is for the last of them
        sockets = {
            os.readlink(file)
            for file in Path(f"/proc/{process.pid}/fd").iterdir()
            if os.path.islink(file)
        }
        lines = Path(f"/proc/{process.pid}/net/udp").read_text().splitlines()[1:]
        bound = [line.split()[1] for line in lines if f"socket:[{line.split()[9]}]" in sockets]
        # The discovery and the data ports; the others send only, from a port that nobody knows.
        ports = [each for each in bound if 7400 <= int(each.split(":")[1], 16) < 33000]
        assert ports
        assert {each.split(":")[0] for each in ports} == {"0100007F"}
    finally:
        process.kill()
