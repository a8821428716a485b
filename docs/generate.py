"""Write the reference pages from the code: parameters, messages, hold codes, commands, robots.

    python docs/generate.py [--check]

With `--check` nothing is written, and the status is 1 if a page is not current.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from vlm_robot_ros.cli.main import main as command
from vlm_robot_ros.deprecated_names import deprecated_names
from vlm_robot_ros.interfaces.hold import HOLD_RULES, HoldCode
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.policies.remote.policy_map import PolicyMap
from vlm_robot_ros.robot.contract_errors import contract_schema_text, schema_fields
from vlm_robot_ros.robot.contract_schema import Contract
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.parameters import ParameterSpec
from vlm_robot_ros.tasks.tasks import SKILL_FAMILIES

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
RESULTS = ROOT / "benchmarks" / "results"
NODES = {
    "policy_node": "vlm_robot_ros.ros.policy_parameters",
    "arm_sim_node": "vlm_robot_ros.nodes.arm_sim_node",
    "libero_sim_node": "vlm_robot_ros.nodes.libero_sim_node",
    "recorder_node": "vlm_robot_ros.nodes.recorder_node",
    "voice_node": "vlm_robot_ros.nodes.voice_node",
    "console_node": "vlm_robot_ros.console.console_node",
    "demo_node": "vlm_robot_ros.demo.demo_node",
}
_NOTE = "<!-- Written by docs/generate.py. -->\n\n"


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Return a Markdown table."""
    escaped = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def parameters() -> str:
    """Return the page of the nodes' parameters."""
    text = (
        "# Parameters\n\n"
        "Nodes read their parameters at the start; `policy_node` reads them when it is\n"
        "configured. Only a *dynamic* parameter can change later. A node refuses a wrong value\n"
        "and says which are valid. `~` in a path is the home folder.\n"
    )
    for node, module in NODES.items():
        specs: tuple[ParameterSpec, ...] = importlib.import_module(module).PARAMETERS
        rows: list[tuple[object, ...]] = []
        for spec in specs:
            valid = ", ".join(f"`{value}`" for value in spec.valid if value)
            if spec.minimum is not None or spec.maximum is not None:
                valid = f"{spec.minimum:g} to {spec.maximum:g}" if spec.maximum else (
                    f"{spec.minimum:g} and up"
                )  # fmt: skip
            default = f"`{spec.default}`" if spec.default != "" else ""
            note = spec.description + (" (dynamic)" if spec.dynamic else "")
            kind = type(spec.default).__name__
            rows.append((f"`{spec.name}`", kind, default, valid, note))
        text += f"\n## {node}\n\n" + table(
            ("parameter", "type", "default", "valid", "description"), rows
        )
    return text


def messages() -> str:
    """Return the page of the message, service and action definitions."""
    text = "# Messages, services and actions\n"
    folders = ("msg", "srv", "action")
    for file in sorted(file for kind in folders for file in (ROOT / kind).glob(f"*.{kind}")):
        text += f"\n## {file.stem}\n\n```text\n{file.read_text().rstrip()}\n```\n"
    return text


def hold_codes() -> str:
    """Return the page of the hold codes."""
    rows: list[tuple[object, ...]] = [
        (
            int(code),
            f"`{code.name}`",
            rule.source,
            "yes" if rule.latches else "no",
            rule.cleared_by,
        )
        for code, rule in HOLD_RULES.items()
    ]
    assert set(HOLD_RULES) == set(HoldCode) - {HoldCode.NONE}
    return (
        "# Hold codes\n\n"
        "While the arm holds, `VlmAction.hold_code` and the value `hold_code` in `/diagnostics` "
        "say why, next to a text for people. A hold that *latches* stays when its cause is gone.\n"
        "\n**None of these is an emergency stop.** Use the robot's own.\n\n"
        + table(("code", "name", "caused by", "latches", "ended by"), rows)
    )


def cli() -> str:
    """Return the page of the commands."""
    text = "# Command line\n\n"
    overview = _help([])
    text += f"```text\n{overview}\n```\n"
    names = [line.split()[0] for line in overview.splitlines() if line.startswith("    ")
             and not line.startswith("     ")]  # fmt: skip
    for name in names:
        text += f"\n## vlm-robot {name}\n\n```text\n{_help([name])}\n```\n"
        for sub in _subcommands(name):
            text += f"\n### vlm-robot {name} {sub}\n\n```text\n{_help([name, sub])}\n```\n"
    return text


def _help(arguments: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        command([*arguments, "--help"])
    return out.getvalue().rstrip()


def _subcommands(name: str) -> Iterator[str]:
    inside = False
    for line in _help([name]).splitlines():
        inside = inside or line.startswith("positional arguments")
        if inside and line.startswith("    ") and not line.startswith("     "):
            yield line.split()[0]


def robots() -> str:
    """Return the page of the shipped robot contracts and the command sinks."""
    rows: list[tuple[object, ...]] = []
    for file in sorted((ROOT / "config" / "arms").glob("*.yaml")):
        robot = load_robot(file.stem)
        tested = "simulation" if robot.simulated else "not on the hardware"
        kinds = ", ".join(f"`{sink.kind}`" for sink in robot.sinks) or "`action` only"
        rows.append((f"`{file.stem}`", robot.name, len(robot.joints), kinds, tested))
    sinks: list[tuple[object, ...]] = [
        (f"`{kind}`", f"`{sink.interface}`", sink.description)
        for kind, sink in command_sinks().items()
    ]
    return (
        "# Robots\n\nContracts of `config/arms`, by the name that the parameter `robot` takes.\n\n"
        + table(("contract", "robot", "joints", "command sinks", "tested"), rows)
        + "\n## Kinds of command sinks\n\n"
        + table(("kind", "message or action", "controller"), sinks)
    )


def renamed() -> str:
    """Return the page of old and new Python names."""
    rows: list[tuple[object, ...]] = [
        (f"`{old.removeprefix('vlm_robot_ros.')}`", f"`{new.removeprefix('vlm_robot_ros.')}`")
        for old, new in deprecated_names().items()
    ]
    return (
        "# Renamed Python names\n\n"
        "Names of version 0.1 and their new ones, below `vlm_robot_ros`. The old ones work until "
        "version 0.3, with a `DeprecationWarning`.\n\n" + table(("0.1", "0.2"), rows)
    )


def contract() -> str:
    """Return the page of the fields of a contract."""
    text = (
        "# Robot contract\n\nThe fields of a contract, in SI units. `vlm-robot contract schema` "
        "prints the same as a [JSON schema](contract.schema.json), with which editors complete "
        "and check a contract:\n\n```yaml\n# yaml-language-server: $schema=contract.schema.json\n"
        "```\n\n"
    )
    return text + _field_tables(Contract)


def policy_map() -> str:
    """Return the page of the fields of a map."""
    text = (
        "# Policy map\n\nWhat a policy of a server calls a robot's cameras, state and actions. "
        "The how-to [policies of servers](../how-to/policies_of_servers.md) has an example.\n\n"
    )
    return text + _field_tables(PolicyMap)


def _field_tables(model: type[BaseModel]) -> str:
    parts: dict[str, list[tuple[object, ...]]] = {}
    for part, name, valid, meaning in schema_fields(model):
        parts.setdefault(part, []).append((f"`{name}`", valid, meaning))
    text = ""
    for part, rows in parts.items():
        name = part or model.__name__
        text += f"## {name}\n\n" + table(("field", "valid", "meaning"), rows) + "\n"
    return text.rstrip() + "\n"


def skills() -> str:
    """Return the page of the skills."""
    rows: list[tuple[object, ...]] = []
    for skill in SKILL_FAMILIES.values():
        for name in skill.names:
            places = skill.places(name)
            verbs = skill.verbs(name)
            reference = "the blue " + ("bowl" if skill.reference == "receptacle" else "cylinder")
            said = (
                skill.templates(name)
                .seen[0]
                .format(
                    v=verbs.seen[0] if verbs else "",
                    o="the red cube",
                    d=places.seen[0].format(r=reference) if places else "",
                )
            )
            label = skill.label(name, "cube", "bowl" if skill.reference == "receptacle" else "")
            rows.append((f"`{name}`", said, f"`{label}`", first_line(skill)))
    return (
        "# Skills\n\nWhat the scripted expert and the shipped policy do on the simulated table. "
        "Directions are the robot's own: left is +y, away is +x.\n\n"
        + table(("skill", "for example", "task label", "success"), rows)
    )


def benchmarks() -> str:
    """Return the page of what was measured, from `benchmarks/results`."""
    results = [json.loads(file.read_text()) for file in RESULTS.glob("*.json")]
    text = (
        "# Benchmarks\n\nEach section has the numbers, the conditions and the command. Unless "
        "said otherwise: two CPU cores of\nan AMD EPYC, no GPU, nothing else running. Intervals "
        "are 95 % Wilson intervals.\n"
    )
    for result in sorted(results, key=lambda result: int(result["place"])):
        text += f"\n## {result['title']}\n"
        for block in result["blocks"]:
            lines = "\n".join(block["text"]) + "\n" if "text" in block else ""
            rows = [tuple(row) for row in block.get("rows", ())]
            text += "\n" + (lines or table(tuple(block["columns"]), rows))
    return text


def first_line(value: object) -> str:
    """Return the first line of a docstring."""
    return (type(value).__doc__ or "").splitlines()[0]


PAGES = {
    "benchmarks.md": benchmarks,
    "skills.md": skills,
    "contract.md": contract,
    "policy_map.md": policy_map,
    "parameters.md": parameters,
    "messages.md": messages,
    "hold_codes.md": hold_codes,
    "cli.md": cli,
    "robots.md": robots,
    "renamed.md": renamed,
    "contract.schema.json": contract_schema_text,
}


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    os.environ["COLUMNS"] = "100"  # the width of help texts
    old = []
    for name, make in PAGES.items():
        path, text = REFERENCE / name, make() if name.endswith(".json") else _NOTE + make()
        if args.check and (not path.exists() or path.read_text() != text):
            old.append(name)
        elif not args.check:
            path.write_text(text)
    if old:
        print(f"not current: {', '.join(old)}; run python docs/generate.py", file=sys.stderr)
    return bool(old)


if __name__ == "__main__":
    sys.exit(main())
