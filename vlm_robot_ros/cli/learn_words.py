"""`vlm-robot learn-words`: new words for a policy, from bags with failed and repeated commands."""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("learn-words", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("bags", type=Path, nargs="+", help="bags, or folders of bags")
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument("--lessons", type=int, default=2, help="that a word needs")
    parser.add_argument("--robot", default="", help="contract, where a bag has none")
    parser.add_argument("--namespace", default="", help="of the node, where it had one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; 1 when nothing was learned."""
    from vlm_robot_ros.bags.discovery import find_all_bags
    from vlm_robot_ros.bags.recording import read_recording
    from vlm_robot_ros.bags.rephrasings import find_rephrasings
    from vlm_robot_ros.cli.dataset_options import print_bag_warnings
    from vlm_robot_ros.file_limits import read_json
    from vlm_robot_ros.models.checkpoint import (
        ensure_no_checkpoint,
        load_checkpoint,
        save_checkpoint,
    )
    from vlm_robot_ros.paths import shipped_checkpoint
    from vlm_robot_ros.training.synonym_learning import learn_synonyms

    checkpoint = args.checkpoint or shipped_checkpoint()
    ensure_no_checkpoint(args.out)
    bags = find_all_bags(args.bags)
    recordings = [read_recording(bag, args.robot, args.namespace) for bag in bags]
    print_bag_warnings(*(recording.bag for recording in recordings))
    lessons = find_rephrasings(recordings)
    model, learned = learn_synonyms(load_checkpoint(checkpoint), lessons, args.lessons)
    print(f"{len(lessons)} lessons: an instruction that failed, and the next one that did not\n")
    print("| word | is like | sure | lessons | |\n| --- | --- | --- | --- | --- |")
    for each in learned:
        print(
            f"| {each.word} | {each.similar_to} | {each.confidence:.2f} | {each.lessons} "
            f"| {each.refusal} |"
        )
    words = {each.word: each.similar_to for each in learned if each.similar_to}
    if not words:
        print("\nnothing was learned")
        return 1
    about = read_json(checkpoint / "config.json").get("training", {})
    about["taught"] = {**about.get("taught", {}), **words}
    save_checkpoint(model, args.out, about)
    print(f"\ncheckpoint in {args.out}")
    return 0
