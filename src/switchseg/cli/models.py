"""`switchseg models`: the encoders and decoders, how large they are and how much they compute."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from switchseg.cli.arguments import parse
from switchseg.errors import UserError
from switchseg.limits import LONGEST_SIDE
from switchseg.models.norm_names import NORM_NAMES
from switchseg.registry import named


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the encoders of 2018 and of MIT, and every decoder on one of them.

    Any timm name is an encoder too; name it with --encoder to see what it is like.
    """

    encoder: str = "resnet50_dilated8"
    """The encoder that the decoders are listed with."""
    norm: str = named(NORM_NAMES, "sn")
    num_classes: int = 150
    side: int = 512
    """Height and width, in pixels, of the image that the operations are counted for."""


def run(arguments: Sequence[str]) -> int | None:
    """Print two tables, each line as soon as it is known."""
    options = parse(Options, "models", arguments)

    from switchseg.models.decoders import DECODERS
    from switchseg.models.encoders import ENCODERS, LISTED
    from switchseg.models.summary import Summary, summarize_encoder, summarize_model

    if not 64 <= options.side <= LONGEST_SIDE:
        raise UserError(f"--side must be at least 64 and at most {LONGEST_SIDE} pixels, but is {options.side}")

    # First of all, so that a mistake is told before the long list; C1 goes with every encoder.
    chosen = summarize_model(options.encoder, "c1", options.norm, options.num_classes, options.side)

    def line(name: str, size: Summary, maps: str = "") -> None:
        numbers = f"{size.parameters / 1e6:8.1f} M {size.flops / 1e9:8.1f} {size.stride:7}"
        print(f"{name:<22}{numbers}   {maps}".rstrip(), flush=True)

    print(f"{'encoder':<22}parameters    GFLOP  stride   channels/stride of its maps")
    for name in _counted("encoders", [*dict.fromkeys([*LISTED, *ENCODERS, options.encoder])]):
        size = summarize_encoder(name, options.side)
        line(name, size, " ".join(f"{channels}/{stride}" for channels, stride in zip(*size.maps, strict=True)))

    print(f"\n{'decoder':<22}parameters    GFLOP  stride   with {options.encoder}, {options.norm}, ", end="")
    print(f"{options.num_classes} classes; GFLOP of the whole model at {options.side} x {options.side}")
    for name in _counted("decoders", [*DECODERS]):
        decoder = DECODERS[name]
        # An encoder with few maps is no mistake here: the list shows which decoders it leaves.
        if decoder.min_maps > len(chosen.maps.strides):
            print(f"{name:<22}needs {decoder.min_maps} maps or more")
            continue
        line(name, summarize_model(options.encoder, name, options.norm, options.num_classes, options.side))
    return None


def _counted(what: str, names: Sequence[str]) -> Iterator[str]:
    """Yield `names` with a bar below the lines for whoever watches; a file gets the lines alone."""
    from switchseg.engine.progress import progress

    with progress("models", len(names), what, shown=sys.stdout.isatty()) as count:
        for name in names:
            yield name
            count(1)
