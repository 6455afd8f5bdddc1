"""The loss over rising learning rates, as `switchseg find-rate` has measured it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from switchseg.reports.theme import run_ink


def rate_figure(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float | None
) -> Figure:
    """Draw the loss at every rate, its running mean, and where it falls most steeply."""
    figure = Figure(figsize=(4.5, 2.8), layout="constrained")
    axes, ink = figure.subplots(), run_ink(0)
    axes.plot(rates, losses, color=ink.light, linewidth=0.5, alpha=0.35)
    axes.plot(rates, smoothed, color=ink.light, linewidth=1.5)
    # Rates rise by equal factors, so equal distances are equal numbers of tries.
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.set_ylim(top=min(max(losses), 1.2 * smoothed[0]))  # the explosion at the end says nothing
    if suggestion is not None:
        axes.axvline(suggestion, color="#444444", linewidth=0.8, linestyle="--")
        axes.set_title(f"steepest at {suggestion:.2g}")
    return figure
