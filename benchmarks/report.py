"""The results as Markdown tables and a picture in the look of the demos, which the tables can be read back for."""

import datetime
import os
import platform
import statistics
import textwrap
from importlib import metadata
from itertools import takewhile
from pathlib import Path

import plots
from matplotlib.ticker import NullFormatter
from turns import ratio

import micrograd

ROOT = Path(__file__).resolve().parent.parent
SPEED, MORE = ROOT / "docs" / "speed.md", ROOT / "benchmarks" / "README.md"
PICTURE = ROOT / "demos" / "pictures" / "benchmarks.png"
BEGIN, END = "<!-- figures: from here -->", "<!-- figures: to here -->"
WIDTH = 120  # of the pages
LIBRARIES = ("numpy", "llvmlite", "jax", "torch", "autograd")

NOT_DRAWN = {"ours, Training, write_back=False, samples=…", "ours, Training, write_back=False"}  # long names
GREY, GREEN = "#8a8a8a", "#009e73"
COLORS = [plots.DATA, "#56b4e9", GREY, plots.GRADIENT, GREEN]


# ---- text ------------------------------------------------------------------------------------------------------------


def speed(results, left_out, names, reference):
    """What ``docs/speed.md`` has of a run."""
    return "\n\n".join(
        [
            textwrap.fill(
                f"{where()} Medians; in brackets the median, over the turns, of times ours through `fit`.", WIDTH
            ),
            steps_table(results, names, reference),
            *reasons(left_out),
        ]
    )


def more(samples, widths, threads, memory, first_calls, small):
    """What ``benchmarks/README.md`` has of it."""
    alone = next(iter(threads.values()))
    tables = [
        table(("one step over all samples", *samples), across(samples)),
        table(("2-w-w-1, width", *widths), across(widths)),
        table(
            ("threads, many samples", "median", "times as fast"),
            [(name, time_text(statistics.median(t)), f"{1 / ratio(t, alone):.2f}") for name, t in threads.items()],
        ),
        table(
            ("memory of a batch of", *memory),
            [
                (f"{x:,}", *[f"{dict(pairs)[x] / 1e3:,.0f} kB" for pairs in memory.values()])
                for x, _ in memory["one graph"]
            ],
        ),
        table(
            ("first call in a new process", "nothing on disk", "code on disk", "the plain function"),
            [(what, *map(time_text, seconds)) for what, seconds in first_calls.items()],
        ),
        table(
            ("later calls", "the plain function", "tape"),
            [(what, *map(time_text, seconds)) for what, seconds in small.items()],
        ),
    ]
    return "\n\n".join([textwrap.fill(where(), WIDTH), *tables])


def where():
    """Day, machine and versions, in a sentence."""
    versions = [f"{name} {metadata.version(name)}" for name in LIBRARIES if is_installed(name)]
    return (
        f"Measured on {datetime.date.today()} with version {micrograd.__version__}, on {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}, {', '.join(versions)}."
    )


def is_installed(name):
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def time_text(seconds):
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= 0.9995 * s), ("µs", 1e-6))
    number = seconds / size
    return f"{number:.2g} {unit}" if number < 9.95 else f"{number:.3g} {unit}"


def times_text(share):
    return f"{share:,.0f}×" if share >= 9.95 else f"{share:.1f}×" if share >= 0.995 else f"{share:.2f}×"


def steps_table(results, names, reference):
    """Engines by workloads: the median, and in brackets its ratio to ``reference``, the median turn by turn."""
    lines = []
    for name in names:
        cells = []
        for times in results.values():
            if name not in times:
                cells.append("–")
            elif name == reference:
                cells.append(f"**{time_text(statistics.median(times[name]))}**")
            else:
                share = ratio(times[name], times[reference])
                cells.append(f"{time_text(statistics.median(times[name]))} ({times_text(share)})")
        if any(cell != "–" for cell in cells):
            lines.append((name, *cells))
    return table(("one step", *results), lines)


def reasons(left_out):
    """A list of who was left out, if anybody was."""
    tasks = {}
    for (task, name), reason in left_out.items():
        tasks.setdefault((name, reason), []).append(task)
    lines = [f"- {name}: {reason} ({'; '.join(where)})" for (name, reason), where in tasks.items()]
    return ["\n".join([textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines])] if lines else []


def across(points):
    """Lines of x and the time of each engine there."""
    for x, _ in next(iter(points.values())):
        yield f"{x:,}", *[time_text(dict(pairs)[x]) if x in dict(pairs) else "–" for pairs in points.values()]


def table(title, lines):
    """Lines under a line of titles."""
    rows = [title, ["---"] * len(title), *lines]
    return "\n".join([f"| {' | '.join(row)} |" for row in rows])


def put(page, text):
    """Between the two marks of a page, in the place of what is there."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


# ---- tables that were put there, read again --------------------------------------------------------------------------

UNITS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "kB": 1e3}


def stored():
    """The results that the pages hold, as ``picture`` takes them."""
    medians = rows_of(SPEED, "one step")
    results = {
        task: {name: [number_in(row[task])] for name, row in medians.items() if row[task] != "–"}
        for task in next(iter(medians.values()))
    }
    titles = "one step over all samples", "2-w-w-1, width", "memory of a batch of"
    return results, *[points(rows_of(MORE, title)) for title in titles]


def rows_of(page, title):
    """The texts in the table with that first title, by row and column."""
    lines = page.read_text(encoding="utf-8").split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {title} |"))
    cells = [line.strip("| ").split(" | ") for line in takewhile(lambda line: line.startswith("|"), lines[start:])]
    return {name: dict(zip(cells[0][1:], row)) for name, *row in cells[2:]}


def points(rows):
    """For each column its points (x, number), where x is what the row is called."""
    columns = next(iter(rows.values()))
    return {
        name: [(int(x.replace(",", "")), number_in(row[name])) for x, row in rows.items() if row[name] != "–"]
        for name in columns
    }


def number_in(text):
    """The number of a cell, "**14.9 µs**" or "58.4 µs (3.8×)", in seconds or bytes."""
    number, unit = text.strip("*").split()[:2]
    return float(number.replace(",", "")) * UNITS[unit]


# ---- picture ---------------------------------------------------------------------------------------------------------


def bars(ax, times, title):
    """Median times as bars on a logarithmic axis, the fastest on top."""
    order = sorted(times.keys() - NOT_DRAWN, key=lambda name: -statistics.median(times[name]))
    medians = [1e3 * statistics.median(times[name]) for name in order]
    ax.barh(order, medians, color=[plots.DATA if name.startswith("ours") else "#bbbbbb" for name in order])
    for place, value in enumerate(medians):
        ax.text(value * 1.15, place, time_text(value / 1e3), va="center", fontsize=10)
    ax.set(title=title, xscale="log", xlabel="ms a step", xlim=(min(medians) / 3, max(medians) * 12))
    ax.tick_params(axis="y", labelsize=10)


def lines(ax, points, title, xlabel, ylabel, unit, legend="lower right"):
    """Points (x, y) of several engines, both axes logarithmic; names in a legend, if told where."""
    for (name, pairs), color, marker in zip(points.items(), COLORS, "osD^v"):
        xs, ys = zip(*pairs)
        ax.plot(xs, [y * unit for y in ys], color=color, marker=marker, markersize=6, label=name)
    ax.set(title=title, xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.yaxis.set_minor_formatter(NullFormatter())
    if legend == "lower right":  # make room
        ax.set_ylim(bottom=ax.get_ylim()[0] / 5)
    if legend:
        ax.legend(fontsize=10.5, loc=legend)


def picture(path, results, samples, widths, memory):
    figure, axes = plots.plt.subplots(2, 3, figsize=(20, 11))
    for ax, (title, times) in zip(axes[0], results.items()):  # the first three
        bars(ax, times, title)
    lines(axes[1, 0], samples, "2-16-16-1, one step over all samples", "samples", "ms", 1e3)
    lines(axes[1, 1], widths, "2-w-w-1, 100 samples (lines as on the left)", "width w", "ms", 1e3, "")
    ticks = [x for x, _ in next(iter(widths.values()))]
    axes[1, 1].set_xticks(ticks, ticks)
    axes[1, 1].xaxis.set_minor_formatter(NullFormatter())
    lines(axes[1, 2], memory, "Memory of a batch, node by node", "batch size", "peak, kB", 1e-3, "upper left")
    figure.savefig(path, dpi=100)
    plots.plt.close(figure)
