"""Whether a model and a data set mean the same by a class index."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from switchseg.classes import Classes
from switchseg.data.dataset import Dataset
from switchseg.errors import UserError

_log = logging.getLogger(__name__)


def match_classes(model: Classes, dataset: Dataset, tell: bool = True) -> npt.NDArray[np.integer] | None:
    """Return the data set's index of each class of the model, [C]; None if it is the model's own.

    The same names in another order are matched by name. Where names differ the index counts; unless `tell` is False
    a warning says so.

    Raises:
        UserError: the numbers of classes differ, or a name of both has another index among names that differ.
    """
    data = dataset.classes
    if len(model) != len(data):
        raise UserError(
            f"the model has {len(model)} classes but data set {dataset.name} has {len(data)}; "
            "give the data set that the model was made for, or train a model on this one"
        )
    order = model.order_in(data)
    if order == tuple(range(len(data))) or model.names == data.names:
        return None
    if order is not None:
        if tell:
            _log.warning("data set %s has the model's classes in another order; they are matched by name", dataset.name)
        # Of the labels' own type, so that indexing with it keeps maps in bytes.
        return np.array(order, np.uint8 if len(data) <= 255 else np.int32)
    if name := model.displaced_in(data):
        raise UserError(
            f"{name!r} is a class of the model and of data set {dataset.name}, but at another place, and other names "
            "differ; list the data set's classes by the model's names"
        )
    # Where one side has only numbers for names there is nothing to compare, and nothing to warn of.
    if tell and Classes.unnamed(len(model)).names not in (model.names, data.names):
        index = next(i for i, (own, other) in enumerate(zip(model.names, data.names, strict=True)) if own != other)
        _log.warning(
            "the model's classes have other names than those of data set %s (class %d: %r, %r); they are compared by "
            "their number",
            *(dataset.name, index, model.names[index], data.names[index]),
        )
    return None
