"""`vlm-robot localize`: show where phrases are in an image, with a pretrained CLIP."""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("localize", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("image", type=Path, help="an image")
    parser.add_argument(
        "phrases", nargs="+", help='as in "the handle of the drawer", "left of the red cup"'
    )
    parser.add_argument(
        "--encoder",
        default="open_clip:ViT-B-16/laion2b_s34b_b88k",
        help="see `vlm-robot classify`",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, or auto")
    parser.add_argument("--out", type=Path, default=Path("look.png"), help="image to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it: print where each phrase leads and how they lie to each other, and draw it."""
    import itertools

    from vlm_robot_ros.cli.classify import read_image
    from vlm_robot_ros.models.encoders.registry import load_encoder
    from vlm_robot_ros.models.zero_shot.localization import PhraseLocalizer, spatial_relation
    from vlm_robot_ros.viz.image_grid import image_grid
    from vlm_robot_ros.viz.overlay import overlay_heatmaps

    image = read_image(args.image)
    found = PhraseLocalizer(load_encoder(args.encoder, args.device), args.phrases)(image)
    panels = []
    for each in found:
        place = f"column {each.point[0]:.0f}, row {each.point[1]:.0f}"
        print(f"{each.phrase}: {place}, agrees by {each.score:.3f}")
        panels.append((overlay_heatmaps(image.numpy(), [each.heat.numpy()]), each.phrase, place))
    for first, second in itertools.combinations(found, 2):
        print(f"{first.phrase} is {spatial_relation(first, second)} {second.phrase}")
    image_grid(panels).save(args.out)
    print(f"image {args.out}")
    return 0
