"""`vlm-robot classify`: tell which of some phrases an image shows, with a pretrained CLIP."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_robot_ros.file_limits import check_image, read_bytes

if TYPE_CHECKING:
    from torch import Tensor


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("classify", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("image", type=Path, help="an image, or with --fit a table of them (CSV)")
    parser.add_argument("phrases", nargs="+", help='as in "robot moving box"')
    parser.add_argument(
        "--encoder", default="open_clip:ViT-B-32/laion2b_s34b_b79k",
        help="open_clip:ARCH/TAG, hf:ORG/NAME, or a folder in place of what is downloaded",
    )  # fmt: skip
    parser.add_argument("--top", type=int, help="print this many only")
    parser.add_argument("--temperature", type=float, help="more than 1 makes less sure")
    parser.add_argument(
        "--template", action="append", help='as in "a photo of {}"; may be given again'
    )
    parser.add_argument("--no-none", action="store_true", help='without "none of these"')
    parser.add_argument("--calibration", type=Path, help="file that --fit has written")
    parser.add_argument(
        "--fit", action="store_true",
        help="fit --calibration to IMAGE, a table with columns image and phrase (empty: none)",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, or auto")
    parser.add_argument("--json", type=Path, help="file to write the probabilities to")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the probabilities, most likely first; or fit a calibration."""
    from dataclasses import replace

    from vlm_robot_ros.models.encoders.registry import load_encoder
    from vlm_robot_ros.models.zero_shot.classification import ScoreCalibration, Scorer

    if args.top is not None and args.top < 1:
        raise ValueError(f"--top is {args.top}; it must be 1 or more")
    if args.temperature is not None and not args.temperature > 0:
        raise ValueError(f"--temperature is {args.temperature}; it must be above 0")
    if args.fit and not args.calibration:
        raise ValueError("--fit writes to --calibration, which was not given")
    if args.fit and args.no_none:
        raise ValueError('--fit is for "none of these"; it does not go with --no-none')
    if args.fit:
        table = _read_table(args.image, args.phrases)
    else:
        image = read_image(args.image)
    calibration = ScoreCalibration()
    if args.calibration and not args.fit:
        calibration = ScoreCalibration.load(args.calibration)
    if args.temperature is not None:
        calibration = replace(calibration, temperature=args.temperature)
    encoder = load_encoder(args.encoder, args.device)
    scorer = Scorer(
        encoder, args.phrases, args.template or ["{}"], calibration, none=not args.no_none
    )
    if args.fit:
        return _fit(scorer, table, args.calibration)
    shown, none = (part[0].tolist() for part in scorer(image[None]))
    rows = sorted(zip(shown, args.phrases, strict=True), reverse=True)[: args.top]
    for probability, phrase in [*rows, *([] if args.no_none else [(none, "(none of these)")])]:
        print(f"{probability:7.2%}  {phrase}")
    if args.json:
        content = {"phrases": {phrase: p for p, phrase in rows}, "none": none}
        args.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def read_image(path: Path) -> "Tensor":
    """Read a PNG or JPEG file, shape (H, W, 3), uint8 RGB; raises ValueError where it is none."""
    import io

    import numpy as np
    import torch
    from PIL import Image, UnidentifiedImageError

    content = read_bytes(path)
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            check_image(*image.size, f"'{path}'")
            return torch.from_numpy(np.array(image.convert("RGB")))
    except UnidentifiedImageError as error:
        raise ValueError(f"'{path}' is no image that can be read; valid: PNG, JPEG") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"'{path}' is no image that can be read: {error}") from error


def _read_table(path: Path, phrases: list[str]) -> list[tuple[Path, int]]:
    import csv

    rows = []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if not {"image", "phrase"} <= set(reader.fieldnames or ()):
            raise ValueError(f"'{path}' has columns {reader.fieldnames}; needed: image, phrase")
        for number, row in enumerate(reader, 2):
            phrase = (row["phrase"] or "").strip()
            if not row["image"]:
                raise ValueError(f"'{path}' line {number}: no image")
            if phrase and phrase not in phrases:
                raise ValueError(
                    f"'{path}' line {number}: {phrase!r} is none of the phrases {phrases}"
                )
            shown = phrases.index(phrase) if phrase else -1
            rows.append((path.parent / row["image"], shown))
    if not rows:
        raise ValueError(f"'{path}' has no rows; needed: images of some phrase, and of none")
    return rows


def _fit(scorer, table: list[tuple[Path, int]], out: Path) -> int:  # type: ignore[no-untyped-def]
    import torch
    from tqdm import tqdm

    from vlm_robot_ros.models.zero_shot.classification import fit_calibration

    logits = [scorer.logits(read_image(path)[None]) for path, _ in tqdm(table, "images")]
    phrases, none = (torch.cat(part).cpu() for part in zip(*logits, strict=True))
    shown = torch.tensor([label for _, label in table])
    made = fit_calibration(phrases, none, shown, scorer.encoder.independent)
    made.save(out)
    print(f"temperature {made.temperature:.3f}, bias of none {made.none_bias:+.3f} -> {out}")
    return 0
