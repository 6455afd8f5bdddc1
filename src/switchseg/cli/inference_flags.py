"""The flags of commands that run a model over images: the rule, and how it is computed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import tyro

from switchseg.config.inference import RULES, Compute, Rule
from switchseg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class RuleFlags:
    """What changes the result; each flag overrides what the named rule says."""

    rule: Literal["2018", "2018-multi", "mit"] | None = None
    """2018: short side 450; 2018-multi: 300 400 500 600; mit: 300 375 450 525 600 with Pillow's resize.
    Without it the single-scale rule of the run directory, or 2018 for a model directory."""
    short_sides: tuple[int, ...] | None = None
    """Lengths in pixels that the shorter image side is resized to; several are averaged."""
    flip: tyro.conf.FlagCreatePairsOff[bool] = False
    """Average over the mirrored image too."""
    window: int | None = None
    """Show the network squares of so many pixels instead of the whole scaled image."""
    stride: int | None = None
    """Pixels from one window to the next; two thirds of a window unless given."""
    whole_image_statistics: tyro.conf.FlagCreatePairsOff[bool] = False
    """Let norms normalize windows with the mean and variance of the whole image, so that windows leave no seams."""
    max_long_side: int | None = None
    """Longest side in pixels of a scaled image; 1000 unless given."""

    def resolve(self, usual: Rule) -> Rule:
        """Return the rule that the flags describe; `usual` is the one where no rule is named."""
        values = {each.name: getattr(self, each.name, None) for each in fields(Rule)}
        # By identity: a threshold of 0.0 equals False, but was given.
        given = {name: value for name, value in values.items() if value is not None and value is not False}
        try:
            return replace(RULES[self.rule] if self.rule else usual, **given)
        except ValueError as error:
            raise UserError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class LabelFlags(RuleFlags):
    """A rule for commands that make labels themselves, and do not leave that to whoever uses a file."""

    threshold: float | None = None
    """Of two classes, label the foreground where its probability is at least this; else the likelier class."""


@dataclass(frozen=True, kw_only=True)
class ComputeFlags(Compute):
    """What changes the speed, and the result by no more than rounding."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX."""

    @property
    def compute(self) -> Compute:
        """How to compute, wherever that is."""
        return Compute(**{each.name: getattr(self, each.name) for each in fields(Compute)})
