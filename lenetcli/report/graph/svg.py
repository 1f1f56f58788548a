"""A traced graph as an SVG picture: boxes in a column from the loss down, parameters beside them, arcs for skips."""

from __future__ import annotations

from xml.sax.saxutils import escape

from lenetcli.inspection.graph.trace import Trace
from lenetcli.report.graph.diagram import Box, boxes, framed, last_part
from lenetcli.report.graph.trace import bars
from lenetcli.report.tables import figure, sizes

TOP, HEIGHT, GAP, PILL = 22, 46, 24, 20  # of the caption, of a box, between boxes, of a parameter's pill
MARGIN, LANE, FRAME = 20, 12, 10  # around all, between arcs, between frames
LETTER, BOLD = 6.6, 7.4  # wide at 12 pixels
LONGEST = 42  # letters
STYLE = """
:root { --paper: #ffffff; --ink: #1c2733; --dim: #5d6b7a; --line: #7b8da3; --box: #eef3fa; --edge: #b9c8dc;
  --bar: #2f6fde; --frame: #f7f9fc; --pill: #f6f1e4; --pilledge: #dccfa8; }
@media (prefers-color-scheme: dark) { :root { --paper: #11161d; --ink: #e4eaf1; --dim: #95a3b3; --line: #6d8099;
  --box: #1c2735; --edge: #36485f; --bar: #6ea2ff; --frame: #161d27; --pill: #2a2618; --pilledge: #574d2c; } }
svg { background: var(--paper); font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
text { fill: var(--ink); } .name { font-weight: 600; } .dim { fill: var(--dim); } .end { text-anchor: end; }
.box { fill: var(--box); stroke: var(--edge); } .frame { fill: var(--frame); stroke: var(--edge);
  stroke-dasharray: 4 3; } .pill { fill: var(--pill); stroke: var(--pilledge); } .bar { fill: var(--bar); }
.way { fill: none; stroke: var(--line); stroke-width: 1.5; } #tip { fill: var(--line); }
"""
NAMESPACE = "http://www.w3.org/2000/svg"
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path id="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
)


def picture(trace: Trace, expand: bool = False, depth: int | None = None) -> str:
    """The whole picture; it follows the reader's light or dark theme."""
    return _Picture(boxes(trace, expand, depth), trace).text()


def lanes(spans: list[tuple[int, int]]) -> list[int]:
    """A lane for each span of rows, such that spans that overlap lie in different ones.

    Example:
        >>> lanes([(0, 4), (1, 3), (3, 6)])
        [0, 1, 1]
    """
    ends: list[int] = []  # of each lane's last span
    found = [0] * len(spans)
    for i in sorted(range(len(spans)), key=lambda i: (spans[i][0], -spans[i][1])):
        top, bottom = spans[i]
        lane = next((n for n, end in enumerate(ends) if end <= top), len(ends))
        ends[lane : lane + 1] = [bottom]
        found[i] = lane
    return found


class _Picture:
    """Places everything, then writes it down."""

    def __init__(self, shown: list[Box], trace: Trace) -> None:
        self.trace = trace
        self.main = [b for b in shown if not b.side]
        self.by_id = {b.id: b for b in shown}
        self.row = {b.id: i for i, b in enumerate(self.main)}
        self.pills = [self._beside(b) for b in self.main]
        skips = [(i, self.row[t]) for i, b in enumerate(self.main) for t in b.next if self.row.get(t, i + 1) > i + 1]
        self.arcs = list(zip(skips, lanes(skips)))
        self.left = MARGIN + LANE * (max((lane for _, lane in self.arcs), default=-1) + 1) + self._frames() * FRAME + 8
        self.width = max(max(len(short(b.name)) * BOLD + len(short(b.kind)) * LETTER for b in self.main) + 40, 230)
        self.tops = self._tops()

    def _frames(self) -> int:
        return max(len(b.frames) for b in self.main)

    def _beside(self, box: Box) -> list[tuple[str, str]]:
        """Text and norm of each parameter, and of each node that works on parameters alone, below a box."""
        found = [(f"{last_part(p)} {sizes(p.shape)}", figure(p.grad_norm)) for p in box.parameters]
        below = [t for t in reversed(box.next) if self.by_id[t].side]
        while below:
            side = self.by_id[below.pop()]
            name = last_part(side.node) or side.kind.removesuffix("Backward")
            arrow = " →" if side.next else ""
            found.append((f"{name} {sizes(side.node.shape)}{arrow}", figure(side.node.grad_norm)))
            below += reversed(side.next)
        return found

    def _tops(self) -> list[float]:
        """Where each box begins; frames want room for their names."""
        tops, y = [], float(MARGIN + TOP)
        for (_, opened, closed), pills in zip(framed(self.main), self.pills):
            y += FRAME * closed + (FRAME + 16) * len(opened)
            tops.append(y)
            y += max(HEIGHT, len(pills) * (PILL + 4) - 4) + GAP
        return tops

    def _bottom(self, row: int) -> float:
        return self.tops[row] + max(HEIGHT, len(self.pills[row]) * (PILL + 4) - 4)

    def text(self) -> str:
        """The SVG file."""
        pill_width = max((len(t) + len(n) + 3 for pills in self.pills for t, n in pills), default=0) * LETTER
        inner = self.left + self.width + (30 + pill_width if pill_width else 0) + self._frames() * FRAME
        width, height = round(inner + MARGIN), round(self._bottom(-1) + self._frames() * FRAME + MARGIN)
        caption = f"loss {self.trace.loss:.4g}, backward: norms of gradients"
        shape = f'{_size(width, height)} viewBox="0 0 {width} {height}"'
        parts = [
            f'<svg xmlns="{NAMESPACE}" {shape} role="img" aria-label="gradient graph">',
            "<title>The graph of gradients, from the loss down</title>",
            f"<style>{STYLE}</style>",
            ARROW,
            f'<text class="dim" x="{MARGIN}" y="{MARGIN + 8}">{caption}</text>',
            *self._frame_parts(inner),
            *self._ways(),
        ]
        norms = bars([b.node.grad_norm for b in self.main])
        for row in range(len(self.main)):
            parts += self._box(row, len(norms[row]))
            parts += self._pill_parts(row, pill_width)
        return "\n".join([*parts, "</svg>"]) + "\n"

    def _box(self, row: int, blocks: int) -> list[str]:
        box, x, y = self.main[row], self.left, self.tops[row]
        name, kind = short(box.name), short(box.kind)
        first, beside = (name, kind) if name else (kind, "")
        right = x + self.width
        return [
            f"<g><title>{escape(' · '.join(box.lines))}</title>",
            f'<rect class="box" x="{x}" y="{y}" {_size(self.width, HEIGHT)} rx="7"/>',
            f'<text class="name" x="{x + 12}" y="{y + 19}">{escape(first)}</text>',
            f'<text class="dim end" x="{right - 12:.0f}" y="{y + 19}">{escape(beside)}</text>',
            f'<text class="dim" x="{x + 12}" y="{y + 36}">{escape(sizes(box.node.shape))}</text>',
            f'<rect class="bar" x="{right - 74 - 5 * blocks:.0f}" y="{y + 29}" {_size(5 * blocks, 6)} rx="1"/>',
            f'<text class="end" x="{right - 12:.0f}" y="{y + 36}">{figure(box.node.grad_norm) or "none"}</text></g>',
        ]

    def _pill_parts(self, row: int, width: float) -> list[str]:
        if not self.pills[row]:
            return []
        x, y = self.left + self.width + 30, self.tops[row]
        parts = []
        for i, (text, norm) in enumerate(self.pills[row]):
            top = y + i * (PILL + 4)
            joint = y + min(HEIGHT / 2, 12)
            parts += [
                f'<path class="way" d="M{x - 30:.0f} {joint:.0f}h12V{top + PILL / 2:.0f}H{x:.0f}"/>',
                f'<rect class="pill" x="{x:.0f}" y="{top:.0f}" {_size(width, PILL)} rx="{PILL / 2:.0f}"/>',
                f'<text x="{x + 10:.0f}" y="{top + 14:.0f}">{escape(text)}</text>',
                f'<text class="dim end" x="{x + width - 10:.0f}" y="{top + 14:.0f}">{norm}</text>',
            ]
        return parts

    def _ways(self) -> list[str]:
        """Arrows to the box below, and arcs on the left to those further down."""
        parts = []
        for i, box in enumerate(self.main[:-1]):
            if self.main[i + 1].id in box.next:
                x = self.left + round(self.width / 2)
                parts.append(
                    f'<path class="way" marker-end="url(#arrow)" '
                    f'd="M{x} {self.tops[i] + HEIGHT:.0f}V{self.tops[i + 1] - 1:.0f}"/>'
                )
        for (start, end), lane in self.arcs:
            x = self.left - self._frames() * FRAME - 8 - LANE * (lane + 1)
            top, bottom = self.tops[start] + HEIGHT - 12, self.tops[end] + 12
            parts.append(
                f'<path class="way" marker-end="url(#arrow)" d="M{self.left} {top:.0f}H{x + 8}q-8 0 -8 8'
                f'V{bottom - 8:.0f}q0 8 8 8H{self.left - 1}"/>'
            )
        return parts

    def _frame_parts(self, right: float) -> list[str]:
        """A dashed frame around the boxes of each module that is unfolded, outer ones first."""
        spans: dict[tuple[int, str], list[int]] = {}
        for row, box in enumerate(self.main):
            for frame in box.frames:
                spans.setdefault(frame, []).append(row)
        parts = []
        for (call, name), rows in sorted(spans.items(), key=lambda item: (item[1][0], -len(item[1]))):
            first = self.main[rows[0]]
            level = first.frames.index((call, name))
            x = self.left - FRAME * (max(len(self.main[row].frames) for row in rows) - level)
            y = self.tops[rows[0]] - (FRAME + 16) * (len(first.frames) - level)
            height = self._bottom(rows[-1]) + FRAME * (len(self.main[rows[-1]].frames) - level) - y
            parts += [
                f'<rect class="frame" x="{x}" y="{y:.0f}" {_size(right - x - FRAME * level, height)} rx="9"/>',
                f'<text class="dim" x="{x + 10}" y="{y + 15:.0f}">{escape(short(name))}</text>',
            ]
        return parts


def _size(width: float, height: float) -> str:
    return f'width="{width:.0f}" height="{height:.0f}"'


def short(text: str) -> str:
    """A long name with its middle left out; names differ at their ends."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2 - 1]}…{text[-LONGEST // 2 :]}"
