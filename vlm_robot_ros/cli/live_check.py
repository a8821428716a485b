"""`vlm-robot contract check --live`: what comes from cameras and arm, and whether they agree."""

from pathlib import Path

import cv2

from vlm_robot_ros.robot.loader import load_robot


def run_live_check(contract: str, seconds: float, out: Path) -> int:
    """Print what comes of each stream, and write what the depth cameras see; 1 if it is wrong.

    Args:
        contract: Name or file.
        seconds: To wait for the streams, at most.
        out: Start of the names of the images.
    """
    try:
        from vlm_robot_ros.ros.live_check import live_check
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--live needs ROS 2 ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    if not out.name:
        raise ValueError(f"--out is '{out}'; valid: the start of a file's name")
    with live_check(load_robot(contract), seconds) as check:
        streams, geometry = list(check.streams()), check.geometry()
        differences = check.description()
    print("\n| stream | topic | messages | Hz | problem |\n| --- | --- | --- | --- | --- |")
    for stream in streams:
        print(f"| {stream.name} | {stream.topic} | {stream.received} | {stream.rate:.1f} | "
              f"{stream.problem or '-'} |")  # fmt: skip
    is_wrong = any(stream.problem for stream in streams)
    for problem in differences or []:
        is_wrong = True
        print(f"\nrobot_description: {problem}")
    if differences is None:
        print("\nno robot_description was published: the contract is not compared with it")
    elif not differences:
        print("\nrobot_description: joints, limits and the tool's place agree with the contract")
    for name, found in geometry.items():
        file = out.with_name(f"{out.name}_{name}.png")
        if not cv2.imwrite(str(file), found.image[..., ::-1]):
            raise FileNotFoundError(f"'{file}' cannot be written; valid: --out in a folder that "
                                    "there is")  # fmt: skip
        print(f"\n{name}: {found.words}; see {file}")
        for problem in found.problems:
            is_wrong = True
            print(f"  {problem}")
    if not geometry:
        print("\nno depth camera with a colour camera in its frame, a pose and images: "
              "camera and arm are not compared")  # fmt: skip
    return int(is_wrong)
