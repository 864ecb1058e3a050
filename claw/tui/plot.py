"""A small plot of blocks, for text."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT = 60, 6


def plot(points: Sequence[tuple[float, float]], title: str, *, digits: int = 0) -> str:
    """`points` are (time in seconds, value), in order; the value of a column is the last one in its time."""
    start, end = points[0][0], points[-1][0]
    most = max(value for _, value in points) or 1.0
    columns = [0.0] * _WIDTH
    number, value = 0, points[0][1]
    for column in range(_WIDTH):
        until = start + (end - start) * (column + 1) / _WIDTH
        while number < len(points) and points[number][0] <= until:
            value = points[number][1]
            number += 1
        columns[column] = value / most * _HEIGHT * 8
    label = f"{most:,.{digits}f}"
    rows = []
    for row in range(_HEIGHT - 1, -1, -1):
        cells = "".join(_EIGHTHS[max(0, min(8, round(height - row * 8)))] for height in columns)
        rows.append(f"{label if row == _HEIGHT - 1 else '':>{len(label)}} │{cells}")
    minutes = (end - start) / 60
    span = f"{minutes:.0f} min" if minutes >= 2 else f"{end - start:.0f} s"
    rows.append(f"{'0':>{len(label)}} └{'─' * _WIDTH}")
    rows.append(f"{'':>{len(label)}}  {title} over {span}")
    return "\n".join(rows)
