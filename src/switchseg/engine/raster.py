"""Labels rasters of any size: what is in memory are some windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from switchseg import files
from switchseg.data.rasters import Raster, RasterLabels, open_raster, read_labels
from switchseg.engine.fusion import fuse
from switchseg.engine.inference import NonFiniteError
from switchseg.engine.predictor import Predictor
from switchseg.engine.seams import Seams, count, lines_of
from switchseg.engine.window_logits import each, each_as_part
from switchseg.engine.windows import Span, Windows
from switchseg.errors import UserError
from switchseg.labels import IGNORED

WINDOW = 512
NO_DATA_WIDE = 65535
"""What holds no data in maps of more than 255 classes."""

_ROWS = 1024  # of the label map that are searched for seams at once


def label_raster(predictor: Predictor, path: Path, target: Path) -> tuple[dict[str, float], Seams]:
    """Write a label map with the size and the georeference of a raster to `target`, whole or not at all.

    The network is shown the raster at its own size, in windows of the rule or of 512 pixels; scales, resizing and
    mirror images of the rule are not used, its threshold is. Every pixel gets the label of the window that shows it
    deepest inside, and 255 where there is no data (65535 beyond 255 classes), which is the nodata value of the map.

    Returns:
        The share of each class among the pixels with data, the largest first; and the seams.

    Raises:
        UserError: rasterio is not installed, the raster cannot be read or is of a kind that is not labelled, or the
            model's output is not finite.
    """
    classes, rule, model = predictor.classes, predictor.rule, predictor.model
    no_data = IGNORED if len(classes) <= IGNORED else NO_DATA_WIDE
    with files.replacing_path(target) as temporary, open_raster(path) as raster:
        windows = Windows(raster.size, rule.window or WINDOW, rule.stride, max(model.encoder.maps.strides), alike=True)
        with raster.writing(temporary, classes.palette, no_data) as written:
            try:
                totals = _label(predictor, raster, windows, written, no_data)
            except NonFiniteError as error:
                raise UserError(f"{path}: {error}; the model is broken, or precision fp32 is needed") from None
        rows, columns = lines_of(windows, windows.size, model.stride)
        seams = Seams()
        # From the file: seams lie between windows, and a window's neighbours are not in memory when it is written.
        for top, labels in read_labels(temporary, _ROWS):
            seams = seams.plus(count(labels, rows[top : top + len(labels) - 1], columns))
    shares = {name: float(total / totals.sum()) for name, total in zip(classes.names, totals, strict=True) if total}
    return dict(sorted(shares.items(), key=lambda entry: -entry[1])), seams


@torch.inference_mode()
def _label(
    predictor: Predictor, raster: Raster, windows: Windows, written: RasterLabels, no_data: int
) -> npt.NDArray[np.int64]:
    """Write the labels window by window, and return how many pixels each class has got."""
    model = predictor.model
    parameter = next(model.parameters())
    cut = predictor.rule.cut(predictor.classes)
    totals = np.zeros(len(predictor.classes), np.int64)

    def read(row: Span, column: Span) -> Tensor | None:
        # Most of a large raster may hold no data; such windows are not computed and keep the map's nodata value.
        if not raster.holds_data(row.seen, column.seen).any():
            return None
        pixels = torch.from_numpy(raster.pixels(row.seen, column.seen)).to(parameter.device)
        return model.spec.preprocessing.normalize(pixels.permute(2, 0, 1)[None], parameter.dtype)

    show = each_as_part if predictor.rule.whole_image_statistics else each
    for row, column, logits in show(predictor.network, windows, read):
        if not torch.isfinite(logits).all():
            raise NonFiniteError("the logits are not finite")
        size = row.stop - row.start, column.stop - column.start
        labels, _ = fuse([logits[0].float().permute(1, 2, 0)], size, cut)
        own = labels[row.own_inside(), column.own_inside()].astype(np.uint16)
        own[~raster.holds_data(row.own(), column.own())] = no_data
        # The nodata value is counted too, and cut off.
        totals += np.bincount(own.ravel(), minlength=no_data + 1)[: len(totals)]
        written.write(own, row.own(), column.own())
    return totals
