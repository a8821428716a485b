"""The nodes of a demo and their parameters: one list for `vlm-robot` and `ros2 launch`."""

from pathlib import Path
from typing import Any

from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.controller_topics import CONTROLLERS, contract_with_sink

INTERFACES = ("action", *CONTROLLERS)
"""How the arm is commanded: by the topic `action`, or as by a command sink of its contract."""


def demo_nodes(
    out: Path,
    seed: int,
    robot: str = "panda_sim",
    through: str = "action",
    policy: str = "",
    checkpoint: str | Path | None = None,
    voice: str = "",
    about: str = "",
    policy_map: str = "",
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each node, by its name without `_node`; the recorder is the last.

    Args:
        out: Folder of the results; the bag is written into it.
        seed: Of the first scene.
        robot: Contract of a simulated arm, by name or file.
        through: One of `INTERFACES`.
        policy: As `load_policy` takes it; the shipped one if empty.
        checkpoint: Of the policy; the shipped one if not given.
        voice: Source of the voice node; empty: there is none.
        about: Kept in the bag.
        policy_map: Of a server's policy: see `load_policy_map`.

    Raises:
        ValueError: an argument is not one of the valid ones, or the folder has a bag already.
    """
    if through not in INTERFACES:
        raise ValueError(f"--through {through!r}; valid: {', '.join(INTERFACES)}")
    if not 0 <= seed < 2**31:
        raise ValueError(f"--seed is {seed}; it must be 0 to 2147483647")
    if not load_robot(robot).simulated:
        raise ValueError(f"--robot: '{robot}' is a real arm; valid: one with a 'simulation'")
    if (out / "bag").exists():
        raise ValueError(f"--out: '{out}' has a bag already; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    follow, contract = through == "action", robot
    if not follow:
        contract = str(out / f"{through}.yaml")
        Path(contract).write_text(contract_with_sink(robot, through))
    of_policy: dict[str, Any] = {"use_sim_time": True, "robot": contract}
    if policy:
        of_policy["policy"] = policy
    if policy_map:
        of_policy["map"] = policy_map
    if checkpoint:
        of_policy["checkpoint"] = str(Path(checkpoint).resolve())
    recorder = {
        "use_sim_time": True,
        "bag": str(out / "bag"),
        "robot": contract,
        "about": about or f"demo, seed {seed}",
    }
    return {
        **({"voice": {"source": voice}} if voice else {}),
        "arm_sim": {"seed": seed, "robot": contract, "follow_action": follow},
        "policy": of_policy,
        "recorder": recorder,
    }
