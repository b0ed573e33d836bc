"""The chart of docs/performance.md: CPU time per request, a panel for each scenario. SVG that suits light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from bench.contenders import CONTENDERS, FLOOR
from bench.scenarios import SCENARIOS
from bench.table import ranked, shown

if TYPE_CHECKING:
    from bench.results import Results

#: The scenarios that have a panel, in the order of reading.
PANELS = ("hello-threads", "mixed", "flask", "sleep10ms", "close", "uwsgi-nginx", "upload64k", "download1m")

#: A bar longer than so many times the shortest server's is cut.
CUT = 5.0

WIDTH, MARGIN, GAP = 880, 20, 36
NAME, VALUE = 78, 62
BAR, STEP, HEAD = 14, 20, 50
COLUMN = (WIDTH - 2 * MARGIN - GAP) / 2

_LEGEND = (
    "CPU time of the server per request, all its processes, in µs. Shorter is better. "
    f"Medians; bars beyond {CUT:g} times the shortest are cut."
)

_STYLE = """
 .page { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e }
 .tapster { fill: #0f766e } .peer { fill: #b6bfc9 } .floor { fill: #dfe4ea } .cut { stroke: #ffffff }
 text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif } .title { font-weight: 600; font-size: 13px }
 .own { font-weight: 600 } .end { text-anchor: end }
 @media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9198a1 }
  .tapster { fill: #2dd4bf } .peer { fill: #4d5763 } .floor { fill: #2b323b } .cut { stroke: #0d1117 }
 }
"""


def svg(results: Results) -> str:
    """The whole picture."""
    panels = [name for name in PANELS if results.names(name)]
    heights = [_height(results, name) for name in panels]
    rows = [max(heights[at : at + 2]) for at in range(0, len(panels), 2)]
    height = 2 * MARGIN + sum(rows) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>CPU time of the server per request, in microseconds: shorter is better</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        f'<text class="faint" x="{MARGIN}" y="{MARGIN + 6}">{_LEGEND}</text>',
    ]
    for index, name in enumerate(panels):
        left = MARGIN + (index % 2) * (COLUMN + GAP)
        top = MARGIN + 24 + sum(rows[: index // 2])
        parts += _panel(results, name, left, top)
    return "\n".join([*parts, "</svg>", ""])


def _height(results: Results, scenario: str) -> int:
    return HEAD + STEP * len(results.names(scenario))


def _panel(results: Results, scenario: str, left: float, top: float) -> list[str]:
    title = SCENARIOS[scenario].title
    parts = [
        f'<text class="ink title" x="{left:g}" y="{top + 18:g}">{escape(scenario)}</text>',
        f'<text class="faint" x="{left:g}" y="{top + 34:g}">{escape(title)}</text>',
    ]
    bars = _bars(results, scenario)
    servers = [value for name, value in bars if CONTENDERS[name].room(1) != FLOOR]
    longest = min(max(value for _, value in bars), CUT * min(servers))
    for row, (name, value) in enumerate(bars):
        parts += _bar(name, value, longest, left, top + HEAD - 8 + row * STEP)
    return parts


def _bars(results: Results, scenario: str) -> list[tuple[str, float]]:
    found = ((name, results.summary(scenario, name, "cpu_us")) for name in ranked(results, scenario))
    return [(name, summary.median) for name, summary in found if summary]


def _bar(name: str, value: float, longest: float, left: float, top: float) -> list[str]:
    room = COLUMN - NAME - VALUE
    length = max(2.0, min(value / longest, 1.0) * room)
    start, middle = left + NAME, top + BAR - 3
    kind = name if name in ("tapster", "floor") else "peer"
    own = " own" if name == "tapster" else ""
    parts = [
        f'<text class="ink end{own}" x="{start - 8:g}" y="{middle:g}">{escape(name)}</text>',
        f'<rect class="{kind}" x="{start:g}" y="{top:g}" width="{length:.1f}" height="{BAR}" rx="2"/>',
    ]
    if value > longest:
        at = start + length - 16
        parts.append(f'<path class="cut" stroke-width="3" d="M{at:.1f} {top + BAR + 2:g} l6 -{BAR + 4}"/>')
    digits = shown("cpu_us", value)
    parts.append(f'<text class="ink{own}" x="{start + length + 6:.1f}" y="{middle:g}">{digits}</text>')
    return parts
