"""Which machines the nodes of a simulated arm can be reached from."""

import os
from collections.abc import Mapping
from pathlib import Path

from vlm_robot_ros.paths import config_dir, dds_profile_variable

RANGE, PEERS = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_STATIC_PEERS"
_OLD_VARIABLE = "ROS_LOCALHOST_ONLY"


def discovery_environment(
    network: bool, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment variables to set for the nodes of a demo.

    A discovery range that the user has set stays as it is, and so do the static peers with it. A
    Fast DDS profile of the user's stays, too; the shipped one is replaced by the one for this
    machine only.

    Args:
        network: Other machines may reach the nodes.
        environment: What is set already.
    """
    variable = dds_profile_variable()
    shipped = config_dir() / "fastdds.xml"
    given = environment.get(variable)
    profile = {} if given else {variable: str(shipped)}
    if network or environment.get(RANGE) or environment.get(_OLD_VARIABLE) == "1":
        return profile
    if not given or _same(Path(given), shipped):
        profile = {variable: str(config_dir() / "fastdds_localhost.xml")}
    return {RANGE: "LOCALHOST", PEERS: "", **profile}


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)
