"""openpi's own server and client at the other end of the wire.

They need numpy 1, so an interpreter of their own: OPENPI_PYTHON is one that imports
`openpi_client` and, for the server, `openpi.serving.websocket_policy_server` or that file alone
from its folder in OPENPI_SERVING.
"""

import json
import os
import pickle
import subprocess

import numpy as np
import pytest
from observations import JOINTS, ROBOT, SEEN
from policy_servers import serving
from test_remote_policy import DROID, policy_of
from test_served_policy import Circling

from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
from vlm_robot_ros.policies.remote.served_policy import ServedPolicy

PYTHON, SERVING = os.environ.get("OPENPI_PYTHON", ""), os.environ.get("OPENPI_SERVING", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="OPENPI_PYTHON names no interpreter with openpi-client (numpy < 2)"
)

SERVER = """
import numpy as np
try:
    from openpi.serving.websocket_policy_server import WebsocketPolicyServer
except ImportError:
    from websocket_policy_server import WebsocketPolicyServer
import websockets.asyncio.server as server

class Policy:
    def infer(self, obs):
        if obs["prompt"] == "fail":
            raise RuntimeError("the policy has failed")
        mean = obs["observation/exterior_image_1_left"].mean() / 1000
        joints = obs["observation/joint_position"] / 10 + mean
        return {"actions": np.tile(np.r_[joints, obs["observation/gripper_position"]], (10, 1))}

serve = server.serve

class announced:  # says which port is free
    def __init__(self, *args, **kwargs):
        self.made = serve(*args, **kwargs)
    async def __aenter__(self):
        found = await self.made.__aenter__()
        print(found.sockets[0].getsockname()[1], flush=True)
        return found
    async def __aexit__(self, *error):
        return await self.made.__aexit__(*error)

server.serve = announced
WebsocketPolicyServer(Policy(), "127.0.0.1", 0, {"from": "openpi"}).serve_forever()
"""
CLIENT = """
import json, pickle, sys
import numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy
client = WebsocketClientPolicy("127.0.0.1", int(sys.argv[1]))
given = pickle.load(open(sys.argv[2], "rb"))
for name, value in given.items():
    if isinstance(value, list):
        given[name] = np.array(value, np.uint8 if "images" in name else np.float32)
answer = client.infer(given)
print(json.dumps({"metadata": client.get_server_metadata(), "actions": answer["action"].tolist()}))
"""


def python(code, *arguments):
    return subprocess.Popen(
        [PYTHON, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": SERVING},
    )  # fmt: skip


class Address:
    """Of a server that another process runs."""

    def __init__(self, port):
        self.address = f"openpi://127.0.0.1:{port}"


def test_our_client_and_openpis_server():
    process = python(SERVER)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        policy = policy_of(Address(int(line)))
        chunk = policy.infer(SEEN)
        image = map_observation(DROID, SEEN)["observation/exterior_image_1_left"]
        step = 0.2 * np.clip(JOINTS / 10 + image.mean() / 1000, -1, 1)
        assert chunk.values == pytest.approx(JOINTS + np.outer(np.arange(1, 11), step), abs=1e-5)
        with pytest.raises(Exception, match="server failed: RuntimeError: the policy has failed"):
            policy.infer(type(SEEN)(SEEN.images, SEEN.pose, SEEN.opening, "fail", SEEN.joints))
    finally:
        process.kill()
        process.communicate()


def test_openpis_client_and_our_server(tmp_path):
    found = load_policy_map("lerobot", ROBOT)
    message = map_observation(found, SEEN)
    # Lists: numpy 1 does not read the pickles of numpy 2.
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in message.items()}
    (tmp_path / "observation").write_bytes(pickle.dumps(plain))
    with serving(ServedPolicy(Circling(), found, ROBOT), {"about": "ours"}) as server:
        process = python(CLIENT, str(server.port), str(tmp_path / "observation"))
        out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    said, mine = json.loads(out), Circling().infer(SEEN)
    assert said["metadata"] == {"about": "ours"}
    np.testing.assert_allclose(said["actions"], np.c_[mine.values, mine.gripper], atol=1e-5)
