"""`switchseg find-rate CONFIG.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from switchseg import files
from switchseg.cli.run_flags import RunFlags, parse_run, run_config
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError

if TYPE_CHECKING:
    from switchseg.engine.find_rate import Sweep


@dataclass(frozen=True, kw_only=True)
class FindRateFlags(RunFlags):
    """Look for a learning rate for CONFIG.yaml: one step at each of many rates, from far too low to far too high.

    The rate at which the loss falls most steeply is suggested; about a third of it is the careful choice. Rates are
    those of the larger of optim.lr_encoder and optim.lr_decoder, the other one keeps its share. Nothing is kept of the
    model.
    """

    rates: int = 100
    """How many rates are tried."""
    lowest: float = 1e-5
    """The first rate."""
    highest: float = 10.0
    """The last rate, unless the loss explodes before."""
    out: Path | None = None
    """Where rates.csv and rates.svg go; runs/NAME_OF_CONFIG-rates unless given."""


def run(arguments: Sequence[str]) -> None:
    """Sweep, write table and figure, and print what is suggested."""
    flags, stem = parse_run(FindRateFlags, "find-rate", arguments)
    if not 0 < flags.lowest < flags.highest:
        raise UserError(f"--lowest and --highest: {flags.lowest} {flags.highest}; two rates above 0 were expected")
    if not 10 <= flags.rates <= 10_000:
        raise UserError(f"--rates: {flags.rates}; at least 10 and at most 10000 were expected")
    out = flags.out or Path("runs") / f"{stem}-rates"
    files.check_places([out / "rates.csv", out / "rates.svg"])
    from switchseg.distributed import is_main_process
    from switchseg.engine.find_rate import find_rate

    config = run_config(flags)
    sweep = find_rate(config, flags.rates, flags.lowest, flags.highest)
    if is_main_process():
        _write(sweep, out)
        print(_suggestion(sweep, config))
        print(f"table and figure: {out / 'rates.csv'}, {out / 'rates.svg'}")


def _write(sweep: Sweep, out: Path) -> None:
    from switchseg.reports.paper import save_figure
    from switchseg.reports.rate_figure import rate_figure

    rows = zip(sweep.rates, sweep.losses, sweep.smoothed, strict=True)
    lines = ["rate,loss,smoothed_loss", *(",".join(f"{value:.6g}" for value in row) for row in rows)]
    files.write_text(out / "rates.csv", "\n".join(lines) + "\n")
    save_figure(lambda: rate_figure(sweep.rates, sweep.losses, sweep.smoothed, sweep.suggestion), out / "rates.svg")


def _suggestion(sweep: Sweep, config: RunConfig) -> str:
    tried = f"{len(sweep.rates)} rates from {sweep.rates[0]:.2g} to {sweep.rates[-1]:.2g}"
    if sweep.suggestion is None:
        return f"{tried}: the loss hardly falls before it rises; try a lower --lowest, or more --rates"
    # The sweep moves the larger one, and the other in proportion; the flags are to be copied as they stand.
    unit = max(config.optim.lr_encoder, config.optim.lr_decoder)
    encoder, decoder = (rate / unit * sweep.suggestion for rate in (config.optim.lr_encoder, config.optim.lr_decoder))
    return f"{tried}: the loss falls most steeply at --optim.lr-encoder {encoder:.2g} --optim.lr-decoder {decoder:.2g}"
