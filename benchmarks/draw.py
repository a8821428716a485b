"""Draw the times in the tables of a Markdown file: what `make bench` prints, or a section here.

    python benchmarks/draw.py FILE OUT.png [--under "Latency of the node"]

Each table is a panel, each of its rows a group of bars, each percentile in a column of
milliseconds a bar. Tables without such columns are left out.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_COLOURS = ("#3066be", "#d1495b", "#2e8b57", "#f0b446", "#7a5195", "#555555")
Table = tuple[list[str], list[list[str]]]
"""Heads of the columns, and rows of cells."""


def main() -> int:
    """Draw; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--under", default="", help="a heading; only the tables below it")
    args = parser.parse_args()
    found = [each for each in map(_bars, _tables(_section(args.file, args.under))) if each]
    if not found:
        print(f"no table with percentiles in ms in '{args.file}' {args.under}", file=sys.stderr)
        return 1
    heights = [0.6 + 0.17 * sum(len(bars) + 1 for bars in panel.values()) for panel in found]
    figure = Figure((9, sum(heights)), dpi=90, layout="constrained")
    panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, rows in zip(panels, found, strict=True):
        _draw(axes, rows)
    figure.savefig(args.out)
    return 0


def _section(file: Path, heading: str) -> list[str]:
    lines = file.read_text().splitlines()
    if heading:
        begins = [i for i, line in enumerate(lines) if line.strip("# ") == heading]
        if not begins:
            raise SystemExit(f"no heading '{heading}' in '{file}'")
        rest = lines[begins[0] + 1 :]
        ends = [i for i, line in enumerate(rest) if line.startswith("## ")]
        lines = rest[: ends[0]] if ends else rest
    return lines


def _tables(lines: list[str]) -> list[Table]:
    tables: list[Table] = []
    inside = False
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            inside = False
        elif not inside:
            tables.append((cells, []))
            inside = True
        elif set(line) - set("|-: "):
            tables[-1][1].append(cells)
    return tables


def _bars(table: Table) -> dict[str, dict[str, float]]:
    """Return of each row its name, and its times by what they are [ms]."""
    heads, rows = table
    words = [number for number, head in enumerate(heads) if not _percentiles(head)]
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        bars = {}
        for head, cell in zip(heads, row, strict=False):
            names, values = _percentiles(head), _NUMBER.findall(cell)
            if len(values) == len(names):
                bars.update(zip(names, map(float, values), strict=True))
        if bars:
            named = words[
                : 2 if len(words) > 1 and len({r[words[0]] for r in rows}) < len(rows) else 1
            ]
            found[", ".join(row[number] for number in named)] = bars
    return found


def _percentiles(head: str) -> list[str]:
    """Return what the numbers of a column are: "way p50, p99 ms" has two."""
    found = re.findall(r"p\d+|longest", head) if head.endswith("ms") else []
    what = head.split(found[0])[0].strip() if found else ""
    return [f"{what} {name}".strip() for name in found]


def _draw(axes: Axes, rows: dict[str, dict[str, float]]) -> None:
    kinds = list(dict.fromkeys(kind for bars in rows.values() for kind in bars))
    place, places = 0.0, []
    for bars in rows.values():
        at = place + np.arange(len(bars))
        colours = [_COLOURS[kinds.index(kind) % len(_COLOURS)] for kind in bars]
        drawn = axes.barh(at, list(bars.values()), color=colours, height=0.9)
        axes.bar_label(
            drawn, [f"{value:g}  {kind}" for kind, value in bars.items()], padding=3, fontsize=7
        )
        places.append(float(at.mean()))
        place += len(bars) + 1
    axes.set_yticks(places, list(rows), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("ms", fontsize=8)
    axes.margins(x=0.25)
    axes.tick_params(labelsize=8)


if __name__ == "__main__":
    sys.exit(main())
