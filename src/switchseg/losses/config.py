"""The loss section of a config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from switchseg import limits
from switchseg.errors import UserError
from switchseg.limits import RATE, Between
from switchseg.losses import LOSSES
from switchseg.registry import check_names, named

_OF_REGIONS = {"dice", "lovasz"}


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What is minimised: one loss, or several added up."""

    terms: tuple[str, ...] = named(LOSSES, ("cross_entropy",))
    """The losses that are added up."""
    weights: tuple[float, ...] = ()
    """The factor on each of the terms, in their order; empty is 1 for each."""
    class_weights: Literal["auto"] | tuple[float, ...] | None = None
    """What a pixel of each class weighs in cross_entropy, focal and ohem: numbers in the order of the classes, or auto:
    1 / ln(1.02 + share of the training pixels), for a rare class at most 36 times that of a common one."""
    label_smoothing: float = 0.0
    """Part of the target that cross_entropy and ohem spread over all classes."""
    focal_gamma: float = 2.0
    """focal is the cross entropy times (1 - probability of the right class) to this power."""
    ohem_threshold: float = 0.7
    """ohem is the mean cross entropy of the pixels whose right class has less than this probability."""
    ohem_least: float = 0.0625
    """The share of each image's labelled pixels, the worst ones, that ohem keeps in any case."""
    dice_smoothing: float = 0.0
    """Pixels added to both sides of the fraction in dice; it damps classes of few pixels."""
    auxiliary_weight: float = 0.4
    """Factor on the loss of the auxiliary head, for decoders that have one (deep supervision)."""
    average: Literal["pixels", "devices"] = "pixels"
    """`pixels`: the sum over all labelled pixels of the step (for ohem, dice, lovasz: all its images), divided by
    their number. `devices`: each device's own mean, averaged over devices and accumulation steps, as in 2018."""

    def __post_init__(self) -> None:
        check_names("loss.", self)
        if not self.terms or len(set(self.terms)) < len(self.terms):
            raise UserError(f"loss.terms: {' '.join(self.terms) or 'nothing'}; losses, each once, were expected")
        if len(self.weights) not in (0, len(self.terms)):
            raise UserError(f"loss.weights: {len(self.weights)} numbers for {len(self.terms)} terms; one each, or none")
        limits.check(
            "loss",
            self,
            weights=Between(0, 1e6, above=True, empty=True),
            label_smoothing=Between(0, 1, below=True),
            focal_gamma=Between(0, 100),
            ohem_threshold=Between(0, 1, above=True),
            ohem_least=Between(0, 1),
            dice_smoothing=Between(0, 1e9),
            auxiliary_weight=RATE,
        )
        if self.class_weights not in (None, "auto"):
            limits.check("loss", self, class_weights=Between(0, 1e6, above=True))
        # Only if no term would take them: beside cross_entropy they have their meaning.
        if self.class_weights is not None and _OF_REGIONS.issuperset(self.terms):
            raise UserError(f"loss.class_weights: {' and '.join(self.terms)} weigh all classes alike; leave them out")

    @property
    def factors(self) -> dict[str, float]:
        """The factor on each term, by its name."""
        return dict(zip(self.terms, self.weights or [1.0] * len(self.terms), strict=True))

    @staticmethod
    def upgraded(section: dict[str, Any]) -> dict[str, Any]:
        """Return this section of a config in today's keys: `name` was the one loss before there were terms."""
        if "name" not in section or "terms" in section:
            return section
        return {"terms": [section["name"]], **{key: value for key, value in section.items() if key != "name"}}
