"""The suite's results for people: tables, asked against done, and a sheet of failures."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from vlm_robot_ros.evaluation.run_episode import Outcome

_SIDE, _COLUMNS, _MOST = 220, 6, 36


def conditions_table(table: dict[str, dict[str, Any]]) -> str:
    """Return the rates of cells and families as Markdown."""
    families = list(dict.fromkeys(f for row in table.values() for f in row["families"]))
    head = ["cell", "episodes", "success", "95 % interval", "others moved", *families]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for cell, row in table.items():
        low, high = row["wilson_95"]
        parts = [row["families"].get(family) for family in families]
        rates = [f"{part['rate']:.1%}" if part else "" for part in parts]
        lines.append(
            " | ".join(
                [
                    cell,
                    str(row["episodes"]),
                    f"{row['rate']:.1%}",
                    f"{low:.1%} to {high:.1%}",
                    str(row["others_moved"] or ""),
                    *rates,
                ]
            )
        )
    return "\n".join(f"| {line} |" for line in lines)


def side_by_side(tables: dict[str, dict[str, Any]]) -> str:
    """Return the rates of each cell (rows) of several policies (columns) as Markdown.

    Args:
        tables: Of each policy, by name, the rates of its cells.
    """
    cells = list(dict.fromkeys(cell for table in tables.values() for cell in table))
    lines = [" | ".join(["cell", *tables]), " | ".join(["---"] * (1 + len(tables)))]
    for cell in cells:
        row = [cell]
        for table in tables.values():
            part = table.get(cell)
            low, high = part["wilson_95"] if part else (0.0, 0.0)
            row.append(
                f"{part['rate']:.1%} ({low:.0%} to {high:.0%}, n {part['episodes']})"
                if part
                else ""
            )
        lines.append(" | ".join(row))
    return "\n".join(f"| {line} |" for line in lines)


def confusion_table(outcomes: Sequence[Outcome]) -> str:
    """Return what was asked (rows) against what was done (columns) as Markdown, failures only."""
    wrong = [outcome for outcome in outcomes if not outcome.success]
    if not wrong:
        return "Everything that was asked for was done."
    asked = sorted({outcome.asked for outcome in wrong})
    did = sorted({outcome.did for outcome in wrong})
    counts = Counter((outcome.asked, outcome.did) for outcome in wrong)
    totals = Counter(outcome.asked for outcome in outcomes)
    head = ["asked", "episodes", "done", *did]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for row in asked:
        cells = [str(counts[(row, column)] or "") for column in did]
        failed = sum(counts[(row, column)] for column in did)
        lines.append(" | ".join([row, str(totals[row]), str(totals[row] - failed), *cells]))
    return "\n".join(f"| {line} |" for line in lines)


def contact_sheet(outcomes: Sequence[Outcome], failures: Path, path: Path) -> None:
    """Write an image of the last frames of what failed, with what was said and done."""
    shown = [outcome for outcome in outcomes if not outcome.success][:_MOST]
    if not shown:
        return
    rows = -(-len(shown) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, rows * (_SIDE + 54)), (24, 24, 28))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, outcome in enumerate(shown):
        x, y = number % _COLUMNS * _SIDE, number // _COLUMNS * (_SIDE + 54)
        name = f"{outcome.cell.replace(' ', '-')}-{outcome.index:04d}.jpg"
        if (failures / name).exists():
            sheet.paste(Image.open(failures / name).resize((_SIDE - 4, _SIDE - 4)), (x + 2, y + 2))
        text = [
            f"{outcome.cell} {outcome.index}: {outcome.did}",
            outcome.said[-1][:40],
            outcome.hold[:40],
        ]
        for line, words in enumerate(text):
            pen.text((x + 4, y + _SIDE + 16 * line), words, (230, 230, 230), font)
    sheet.save(path)
