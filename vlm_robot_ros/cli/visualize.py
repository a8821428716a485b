"""`vlm-robot visualize`: show where sentences lead in an image, without moving an arm."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("visualize", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("sentences", nargs="+", help='as in "put the red cube in the bowl"')
    parser.add_argument("--image", type=Path, help="a camera's image; else a simulated scene")
    parser.add_argument("--seed", type=int_at_least(0), default=1, help="of the simulated scene")
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    parser.add_argument("--robot", default="panda_sim", help="name or file of the contract")
    parser.add_argument("--out", type=Path, default=Path("heatmaps.png"), help="image to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it: red is the target, blue the thing that it is related to."""
    import numpy as np
    from PIL import Image

    from vlm_robot_ros.cli.classify import read_image
    from vlm_robot_ros.interfaces.observation import Observation
    from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
    from vlm_robot_ros.paths import shipped_checkpoint
    from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
    from vlm_robot_ros.robot.loader import load_robot
    from vlm_robot_ros.viz.image_grid import image_grid

    robot = load_robot(args.robot)
    policy = GroundedPolicy(args.checkpoint or shipped_checkpoint())
    config = policy.model.config
    if args.image:
        if len(policy.cameras) > 1:
            raise ValueError(
                f"'{args.checkpoint}' looks through {', '.join(policy.cameras)}, --image is one "
                "image; valid: a simulated scene, --seed"
            )
        size = config.image[::-1]
        image = Image.fromarray(read_image(args.image).numpy()).resize(size)
        images = {config.camera: np.asarray(image)}
    else:
        from vlm_robot_ros.demo.script import sample_seeded_scene
        from vlm_robot_ros.sim.simulator import Simulator

        sim = Simulator(robot)
        scene = sample_seeded_scene(args.seed)
        sim.reset(scene)
        images = {camera: sim.observe(camera) for camera in policy.cameras}
        print("on the table:", ", ".join(thing.name for thing in scene.things))
        sim.close()
    pose = transform_to_pose7(Kinematics(robot).forward(np.array(robot.home)))
    panels = []
    for sentence in args.sentences:
        policy.reset()
        chunk = policy.infer(Observation(images, pose, 1.0, sentence))
        done = f"hold: {chunk.hold}" if chunk.hold else f"{chunk.label} ({chunk.confidence:.0%})"
        print(f"'{sentence}' -> {done}")
        drawn = policy.draw()
        assert drawn is not None
        panels.append((drawn, sentence, done))
    image_grid(panels).save(args.out)
    print(f"image {args.out}")
    return 0
