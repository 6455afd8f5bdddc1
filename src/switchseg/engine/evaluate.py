"""Scores a model on a data set: images in, one confusion matrix out."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from switchseg.config.inference import Compute, Rule
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Sample
from switchseg.distributed import World
from switchseg.engine.ahead import read_ahead
from switchseg.engine.class_order import match_classes
from switchseg.engine.evaluation import Evaluation
from switchseg.engine.fusion import fuse
from switchseg.engine.inference import NonFiniteError, evaluating, logit_maps
from switchseg.engine.network import Network
from switchseg.engine.pictures import write_pictures
from switchseg.engine.progress import progress
from switchseg.engine.seams import find_seams
from switchseg.engine.tally import Tally
from switchseg.engine.tally_key import data_key, tally_key
from switchseg.errors import UserError
from switchseg.metrics import ImageScore, scores
from switchseg.models.segmenter import Segmenter


def evaluate(
    model: Segmenter,
    dataset: Dataset,
    rule: Rule = Rule(),  # noqa: B008 - frozen
    compute: Compute = Compute(),  # noqa: B008 - frozen
    *,
    world: World | None = None,
    save: Path | None = None,
    pictures: int | None = None,
    extremes: int = 0,
    boundary: bool = False,
    partial: Path | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Score `model` on every image of `dataset`, on the device that the model is on.

    Args:
        model: Left in the modes (training or evaluation) that its layers are in.
        dataset: Images with labels; the predictions are compared at the labels' size.
        rule: Scales, windows and flips.
        compute: Precision, memory layout, and how many images of equal size the network sees at once.
        world: Every rank takes its share of the images, each exactly once; all return the same evaluation.
        save: Folder for pictures of the images, their truth and their labels.
        pictures: How many images to save, spread over the data set; None saves all.
        extremes: How many of the best and of the worst images, by their own mean IoU, to save besides.
        boundary: Also score along the boundaries.
        partial: File to keep the counts in while the evaluation lasts; if it is stopped, the same call goes on from
            there. Each rank of several has its own, and none is left at the end.
        quiet: Show no progress.

    Raises:
        UserError: the model's classes are not those of the data (see `match_classes`), an image cannot be read or has
            no label, there is no image, the model's output is not finite, or a threshold is set for other than two
            classes.
    """
    world = world or World(rank=0, size=1, device=next(model.parameters()).device)
    order = match_classes(model.spec.classes, dataset, tell=world.is_main and not quiet)
    rule.cut(model.spec.classes)  # refuses what cannot be before the work begins
    key = tally_key(model, dataset, rule, world, boundary) if partial is not None else {}
    if partial is not None and world.size > 1:
        # Each rank counts its own images; one file would hold those of whichever wrote last.
        partial = partial.with_name(f"{partial.name}.{world.rank}")
    label = functools.partial(_labelled, Network(model, compute), rule=rule, compute=compute, order=order)
    # In turn rather than in blocks, so that images sorted by size are spread over the ranks.
    own = range(world.rank, len(dataset), world.size)
    tally = Tally(len(dataset.classes), boundary, partial, key, lambda images: data_key(dataset, own[:images]))
    kept = _spread(len(dataset), len(dataset) if pictures is None else pictures) if save is not None else frozenset()
    show = world.is_main and not quiet
    with evaluating(model), tally.kept(), progress("evaluate", len(own), shown=show, before=tally.images) as count:
        for indices, samples in _batches(dataset, own[tally.images :], compute.images_per_batch):
            # A generator: of a batch only one label map of full size exists at a time.
            for index, sample, (labels, confidence) in zip(indices, samples, label(samples), strict=True):
                # In the order of the data set: where the counts end is all that is known of where to go on.
                tally.add(sample.name, labels, _truth(sample), find_seams(labels, rule, model))
                if save is not None and index in kept:
                    write_pictures(save, sample, labels, confidence, dataset.classes)
            count(len(samples))
    matrix, boundaries = tally.total(world)
    # Only the sum over all ranks tells: one rank's images may all be unlabelled.
    if not matrix.any():
        raise UserError(f"data set {dataset.name}: none of its {len(dataset)} images has a labelled pixel")
    per_image, seams = tally.total_per_image(world), tally.total_seams(world)
    if save is not None:
        # Read and labelled once more: only now it is known which they are.
        for index in sorted((_extremes(per_image, extremes) - kept).intersection(own)):
            sample = dataset.read(index)
            with evaluating(model):
                labels, confidence = next(label([sample]))
            write_pictures(save, sample, labels, confidence, dataset.classes)
    tally.discard()
    found = scores(matrix, dataset.classes)
    return Evaluation(found, matrix, rule, len(dataset), tally.seconds, tuple(per_image), boundaries, seams)


def _labelled(
    network: Network,
    samples: Sequence[Sample],
    rule: Rule,
    compute: Compute,
    order: npt.NDArray[np.integer] | None,
) -> Iterator[tuple[npt.NDArray[np.integer], npt.NDArray[np.float32]]]:
    """Yield labels, in the order of the data set's classes, and confidence of each sample."""
    try:
        maps = logit_maps(network.model, [sample.image for sample in samples], rule, compute, network)
    except NonFiniteError as error:
        names = ", ".join(samples[index].name for index in error.images)
        raise UserError(f"{names}: {error}; the model is broken, or --precision fp32 is needed") from None
    for sample, own in zip(samples, maps, strict=True):
        height, width = _truth(sample).shape
        labels, confidence = fuse(own, (height, width), rule.cut(network.model.spec.classes))
        yield labels if order is None else order[labels], confidence


def _truth(sample: Sample) -> npt.NDArray[np.integer]:
    if sample.label is None:
        raise UserError(f"{sample.name}: an image without a label cannot be scored; `switchseg predict` labels it")
    return sample.label


def _batches(dataset: Dataset, indices: Sequence[int], size: int) -> Iterator[tuple[list[int], list[Sample]]]:
    """Yield the samples in order with their indices, up to `size` at once while neighbours have equal sizes."""
    numbers: list[int] = []
    samples: list[Sample] = []
    for index, reading in read_ahead(dataset.read, indices, depth=2 * size):
        sample = reading.result()
        if samples and (len(samples) == size or samples[0].image.shape != sample.image.shape):
            yield numbers, samples
            numbers, samples = [], []
        numbers.append(index)
        samples.append(sample)
    if samples:
        yield numbers, samples


def _extremes(per_image: Sequence[ImageScore], count: int) -> frozenset[int]:
    """Return the indices of the `count` images with the lowest mean IoU and of as many with the highest."""
    ranked = sorted(
        # NaN would end up anywhere in the order.
        (index for index, each in enumerate(per_image) if not math.isnan(each.mean_iou)),
        key=lambda index: per_image[index].mean_iou,
    )
    # Counted from the front, since a slice from -0 would be the whole list.
    return frozenset(ranked[:count] + ranked[len(ranked) - min(count, len(ranked)) :])


def _spread(images: int, count: int) -> frozenset[int]:
    """Return the indices of `count` images at even distances, the first and the last among them; all, if fewer."""
    return frozenset(np.linspace(0, images - 1, min(count, images)).round().astype(int).tolist())
