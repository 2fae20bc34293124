"""The chart of `docs/performance.md`, drawn from the figures of a run:
`python -m benchmarks.chart FIGURES.json docs/performance.svg`. Text, boxes, nothing else."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from benchmarks.figures import number

PANELS: Final[Sequence[tuple[str, str, Mapping[str, str]]]] = (
    (
        "CPU for a poll, µs (less is better)",
        "µs",
        {
            "azure-mgmt-compute": "CPU per request: sdk",
            "bare aiohttp loop": "CPU per request: bare",
            "this product, durable": "CPU per request: product",
        },
    ),
    (
        "Peak memory with the same operations in flight, MB",
        "MB",
        {
            "azure-mgmt-compute": "peak memory: sdk",
            "bare aiohttp loop": "peak memory: bare",
            "this product, durable": "peak memory: product",
        },
    ),
    (
        "Refused by Azure's limits in the race (429)",
        "",
        {
            "azure-mgmt-compute (model)": "SDK (model): throttled",
            "this product": "calm: throttled at all",
        },
    ),
)
WIDTH, LEFT, BAR, GAP = 720, 210, 22, 8
OURS, OTHERS = "#0b6e4f", "#9aa5b1"


def draw(seen: Mapping[str, float]) -> str:
    """Return the chart as SVG; what was not measured is left out."""
    parts, top = [], 10
    for title, unit, rows in PANELS:
        values = {name: seen[figure] for name, figure in rows.items() if figure in seen}
        if values:
            parts.append(_text(10, top + 16, title, bold=True))
            parts += _bars(values, unit, top + 28)
            top += 28 + len(values) * (BAR + GAP) + 18
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
        f'viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="13">'
    )
    paper = f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>'
    return "\n".join([head, paper, *parts, "</svg>", ""])


def _bars(values: Mapping[str, float], unit: str, top: int) -> Iterator[str]:
    most = max([*values.values(), 1e-9])
    room = WIDTH - LEFT - 110
    for row, (name, value) in enumerate(values.items()):
        y = top + row * (BAR + GAP)
        width = max(1.0, room * value / most)
        colour = OURS if name.startswith("this") else OTHERS
        yield _text(10, y + 16, name)
        yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
        yield _text(LEFT + round(width) + 6, y + 16, f"{number(value)} {unit}".rstrip())


def _text(x: int, y: int, words: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="#1f2933"{weight}>{escape(words)}</text>'


def main(figures: str, chart: str) -> None:
    """Draw the chart of a file of figures."""
    findings = json.loads(Path(figures).read_text())["findings"]
    Path(chart).write_text(draw({each["figure"]: each["seen"] for each in findings}))


if __name__ == "__main__":
    main(*sys.argv[1:])
