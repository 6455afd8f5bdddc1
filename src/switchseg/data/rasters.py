"""GeoTIFF rasters of any size, read window by window (rasterio, the extra `geo`)."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from switchseg.data.images import FORMATS, opened
from switchseg.data.paths import has_suffix
from switchseg.errors import UserError

# Tags of a georeference: the size of a pixel, a transformation, keys of a coordinate reference system.
_GEO_TAGS = (33550, 34264, 34735)
_CACHE_BYTES = 2**27  # of blocks that are read or not yet written; without a limit, a part of the machine's memory


def is_raster(path: Path) -> bool:
    """Return whether a file is a georeferenced TIFF, or a TIFF that is no picture (too large, or of many bands)."""
    if not (has_suffix(str(path), FORMATS["TIFF"]) and path.is_file()):
        return False
    try:
        with opened(path) as image:
            return image.format == "TIFF" and any(tag in image.tag_v2 for tag in _GEO_TAGS)  # type: ignore[attr-defined]
    # What Pillow does not open may still be a raster, if there is something that reads it.
    except UserError:
        return _installed() is not None


class Raster:
    """An open raster.

    Attributes:
        size: (H, W) in pixels.
    """

    def __init__(self, dataset: Any, bands: list[int]) -> None:
        self.size: tuple[int, int] = (dataset.height, dataset.width)
        self._dataset, self._bands = dataset, bands

    def pixels(self, rows: slice, columns: slice) -> npt.NDArray[np.uint8]:
        """Return a part as RGB uint8 [h, w, 3]; 16 bits become their high byte."""
        pixels = self._dataset.read(self._bands, window=_window(rows, columns))
        if pixels.dtype == np.uint16:
            pixels = pixels >> 8
        return np.ascontiguousarray(pixels.astype(np.uint8).transpose(1, 2, 0))

    def holds_data(self, rows: slice, columns: slice) -> npt.NDArray[np.bool_]:
        """Return which pixels of a part hold data, [h, w]."""
        return np.asarray(self._dataset.dataset_mask(window=_window(rows, columns)), bool)

    @contextlib.contextmanager
    def writing(self, path: Path, palette: Sequence[tuple[int, int, int]], nodata: int) -> Iterator[RasterLabels]:
        """Yield a label map with the raster's size and georeference, `nodata` everywhere, that is written to `path`."""
        source = self._dataset
        small = nodata <= 255
        profile = {
            "driver": "GTiff",
            "count": 1,
            "dtype": "uint8" if small else "uint16",
            "height": source.height,
            "width": source.width,
            "nodata": nodata,
            "crs": source.crs,
            "transform": source.transform,
            **({"gcps": source.gcps[0], "crs": source.gcps[1]} if source.gcps[0] else {}),
            "compress": "deflate",
            # The size of the compressed file is not known beforehand, and a plain TIFF ends at 4 GiB.
            "bigtiff": "if_safer",
            # In blocks, as windows are written; a raster that is smaller than one does without.
            **({"tiled": True, "blockxsize": 256, "blockysize": 256} if min(self.size) >= 256 else {}),
        }
        with _require().open(path, "w", **profile) as target:
            if small:
                target.write_colormap(1, dict(enumerate(palette)))
            yield RasterLabels(target)


class RasterLabels:
    """A label map that is being written."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def write(self, labels: npt.NDArray[np.integer], rows: slice, columns: slice) -> None:
        """Write a part of it, [h, w]."""
        self._dataset.write(labels.astype(self._dataset.dtypes[0]), 1, window=_window(rows, columns))


@contextlib.contextmanager
def open_raster(path: Path) -> Iterator[Raster]:
    """Open a raster; whatever goes wrong with it, in the block as well, becomes one line that names it.

    Raises:
        UserError: rasterio is not installed, or the file is damaged or of a kind that is not labelled.
    """
    rasterio = _require(path)
    try:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES), _opened(rasterio, path) as dataset:
            yield Raster(dataset, _bands(path, dataset))
    except rasterio.errors.RasterioError as error:
        raise UserError(f"{path}: a raster that cannot be read or labelled ({' '.join(str(error).split())})") from None


def _opened(rasterio: ModuleType, path: Path) -> Any:
    with warnings.catch_warnings():
        # What has no georeference gets labels that have none.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path)


def read_labels(path: Path, rows: int) -> Iterator[tuple[int, npt.NDArray[np.integer]]]:
    """Yield a label raster in bands of so many rows and one more of the next: (first row, labels [h, W])."""
    with _require().open(path) as dataset:
        for top in range(0, dataset.height, rows):
            stop = min(top + rows + 1, dataset.height)
            yield top, dataset.read(1, window=((top, stop), (0, dataset.width)))


def _window(rows: slice, columns: slice) -> tuple[tuple[int, int], tuple[int, int]]:
    return (rows.start, rows.stop), (columns.start, columns.stop)


def _bands(path: Path, dataset: Any) -> list[int]:
    """Return which bands, from 1, are red, green and blue.

    Raises:
        UserError: there are several images or no telling, or the values are of a kind that has no fixed range.
    """
    if dataset.subdatasets:
        raise UserError(f"{path}: holds several pages; one image was expected: save each as a file of its own")
    meanings = [meaning.name for meaning in dataset.colorinterp]
    colours = ["red", "green", "blue"]
    if set(colours) <= set(meanings):
        bands = [meanings.index(colour) + 1 for colour in colours]
    elif "palette" in meanings:
        raise UserError(f"{path}: colours of a palette; three bands were expected (gdal_translate -expand rgb)")
    elif dataset.count <= 2:  # grey, perhaps with alpha
        bands = [1, 1, 1]
    elif dataset.count == 3:
        bands = [1, 2, 3]
    else:
        raise UserError(
            f"{path}: {dataset.count} bands, of which none are marked as red, green and blue; "
            "write those three into a file of their own (gdal_translate -b 3 -b 2 -b 1 ...)"
        )
    kinds = sorted({dataset.dtypes[band - 1] for band in bands})
    if len(kinds) != 1 or kinds[0] not in ("uint8", "uint16"):
        raise UserError(f"{path}: bands of {' and '.join(kinds)}; uint8 or uint16 was expected (gdal_translate -scale)")
    return bands


def _installed() -> ModuleType | None:
    try:
        import rasterio
        import rasterio.errors
    except ImportError:
        return None
    return rasterio  # type: ignore[no-any-return]


def _require(path: str | os.PathLike[str] = "rasters") -> ModuleType:
    rasterio = _installed()
    if rasterio is None:
        raise UserError(
            f"{os.fspath(path)}: rasterio, which reads GeoTIFF, is not installed; pip install 'switchseg[geo]'"
        )
    return rasterio
