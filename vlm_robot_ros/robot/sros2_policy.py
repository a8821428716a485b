"""What the policy node may do in a secured graph: an access control policy for SROS 2."""

from xml.etree import ElementTree

from vlm_robot_ros.robot.config import RobotConfig

_VERSION = "0.2.0"
SUBSCRIBED_TOPICS = (
    "instruction", "joint_states", "/clock",
    "~/takeover/twist", "~/takeover/joint_states",
)  # fmt: skip
PUBLISHED_TOPICS = (
    "action", "action_chunk", "task_label", "current_instruction", "policy_input", "latency",
    "overlay", "objects", "markers", "episode_mark", "/diagnostics", "/rosout",
    "/parameter_events", "~/transition_event",
)  # fmt: skip
_SERVED_SERVICES = (
    "~/enable", "~/reset", "~/stop",
    "~/change_state", "~/get_state", "~/get_available_states", "~/get_available_transitions",
    "~/get_transition_graph",
    "~/describe_parameters", "~/get_parameter_types", "~/get_parameters", "~/list_parameters",
    "~/set_parameters", "~/set_parameters_atomically", "~/get_type_description",
)  # fmt: skip
"""Sinks that are actions; the others are topics."""


def permissions(robot: RobotConfig, enclave: str, namespace: str = "/") -> str:
    """Return the policy file of a node that drives a robot, for `ros2 security`.

    Nothing else is allowed: neither other topics, nor to ask services.

    Args:
        robot: The contract; the node subscribes to its cameras and publishes to its sinks.
        enclave: Name of the node's enclave, as in `/arm/policy_node`.
        namespace: Of the node.

    Raises:
        ValueError: enclave or namespace do not begin with a slash.
    """
    for name, given in (("enclave", enclave), ("namespace", namespace)):
        if not given.startswith("/"):
            raise ValueError(f"{name} is '{given}'; valid: names that begin with /")
    images = [camera.topic + end for camera in robot.cameras for end in ("", "/compressed")]
    images += [camera.info_topic for camera in robot.cameras if camera.depth]
    more = [robot.speed_scaling] if robot.speed_scaling else []
    if any(camera.pose_from_tf for camera in robot.cameras):
        more += ["/tf", "/tf_static"]
    more += ["~/takeover/gripper"] if robot.has_gripper else []
    commanded = [sink.topic for sink in robot.sinks if not sink.traits.is_action]
    called = [sink.topic for sink in robot.sinks if sink.traits.is_action]
    root = ElementTree.Element("policy", version=_VERSION)
    node = ElementTree.SubElement(root, "enclaves")
    node = ElementTree.SubElement(node, "enclave", path=enclave)
    node = ElementTree.SubElement(node, "profiles")
    node = ElementTree.SubElement(node, "profile", ns=namespace, node="policy_node")
    for kind, how, names in (
        ("topic", "subscribe", [*SUBSCRIBED_TOPICS, *images, *more]),
        ("topic", "publish", [*PUBLISHED_TOPICS, *commanded]),
        ("service", "reply", [*_SERVED_SERVICES]),
        ("action", "call", called),
        ("action", "execute", ["~/execute"]),
    ):
        if names:
            group = ElementTree.SubElement(node, f"{kind}s", {how: "ALLOW"})
            for name in names:
                ElementTree.SubElement(group, kind).text = name
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, "unicode")}\n'
