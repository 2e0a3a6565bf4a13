"""The results as a Markdown table and a picture in the look of the demos."""

import statistics

import plots
from matplotlib.ticker import NullFormatter
from turns import ratio

GREY, GREEN = "#8a8a8a", "#009e73"
COLORS = [plots.DATA, "#56b4e9", GREY, plots.GRADIENT, GREEN]


def time_text(seconds):
    return f"{1e3 * seconds:.{2 + (seconds >= 1e-4)}g} ms" if seconds < 1 else f"{1e3 * seconds:,.0f} ms"


def times_text(share):
    return f"{share:,.0f}×" if share >= 10 else f"{share:.1f}×" if share >= 1 else f"{share:.2f}×"


def table(results, left_out, names, reference):
    """Engines by workloads: the median, and in brackets its ratio to ``reference``, the median turn by turn."""
    lines = [f"| one step | {' | '.join(results)} |", "|---" * (1 + len(results)) + "|"]
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
            lines.append(f"| {name} | {' | '.join(cells)} |")
    reasons = {}
    for (task, name), reason in left_out.items():
        reasons.setdefault((name, reason), []).append(task)
    lines += ["", *[f"- {name}: {reason} ({'; '.join(tasks)})" for (name, reason), tasks in reasons.items()]]
    return "\n".join(lines)


def rows(title, lines):
    """A table of lines under a line of titles."""
    return "\n".join(
        [f"| {' | '.join(title)} |", "|---" * len(title) + "|", *[f"| {' | '.join(line)} |" for line in lines]]
    )


def bars(ax, times, title):
    """Median times as bars on a logarithmic axis, the fastest on top."""
    order = sorted(times, key=lambda name: -statistics.median(times[name]))
    medians = [1e3 * statistics.median(times[name]) for name in order]
    ax.barh(order, medians, color=[plots.DATA if name.startswith("ours") else "#bbbbbb" for name in order])
    for place, value in enumerate(medians):
        ax.text(value * 1.15, place, f"{value:.2g}" if value < 100 else f"{value:.0f}", va="center", fontsize=11)
    ax.set(title=title, xscale="log", xlabel="ms a step", xlim=(min(medians) / 3, max(medians) * 5))
    ax.tick_params(axis="y", labelsize=11)


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
    figure, axes = plots.plt.subplots(2, 3, figsize=(18, 9.6))
    for ax, (title, times) in zip(axes.flat, results.items()):
        bars(ax, times, title)
    lines(axes[1, 0], samples, "2-16-16-1, one step over all samples", "samples", "ms", 1e3)
    lines(axes[1, 1], widths, "2-w-w-1, 100 samples (lines as on the left)", "width w", "ms", 1e3, "")
    ticks = [x for x, _ in next(iter(widths.values()))]
    axes[1, 1].set_xticks(ticks, ticks)
    axes[1, 1].xaxis.set_minor_formatter(NullFormatter())
    lines(axes[1, 2], memory, "Memory of eager accumulation", "batch size", "peak, kB", 1e-3, "upper left")
    figure.savefig(path, dpi=110)
    plots.plt.close(figure)
