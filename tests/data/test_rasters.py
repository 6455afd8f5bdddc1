"""What a raster is, and which of them are labelled."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.data.images import read_image
from switchseg.data.rasters import is_raster, open_raster
from switchseg.errors import UserError

rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")


def write(path: Path, pixels: np.ndarray, colours: str = "", **profile) -> Path:
    """Write bands [B, H, W] with a georeference; `colours` names their meanings."""
    georeference = {"crs": "EPSG:32632", "transform": rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}
    options = {"driver": "GTiff", "dtype": pixels.dtype, **georeference, **profile}
    count, height, width = pixels.shape
    with rasterio.open(path, "w", count=count, height=height, width=width, **options) as file:
        file.write(pixels)
        if colours:
            file.colorinterp = [rasterio.enums.ColorInterp[name] for name in colours.split()]
    return path


def noise(bands: int, dtype: str = "uint8", high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, (bands, 40, 50)).astype(dtype)


def read(path: Path) -> np.ndarray:
    with open_raster(path) as raster:
        return raster.pixels(slice(0, 40), slice(0, 50))


def test_a_georeference_makes_a_tiff_a_raster(tmp_path: Path) -> None:
    Image.fromarray(noise(3).transpose(1, 2, 0)).save(tmp_path / "plain.tif")
    Image.fromarray(noise(3).transpose(1, 2, 0)).save(tmp_path / "plain.png")
    assert not is_raster(tmp_path / "plain.tif")
    assert not is_raster(tmp_path / "plain.png")
    assert not is_raster(tmp_path / "absent.tif")
    assert is_raster(write(tmp_path / "geo.tif", noise(3)))
    assert is_raster(write(tmp_path / "many.tif", noise(7, "uint16")))


def test_several_pages_are_refused_and_overviews_are_none(tmp_path: Path) -> None:
    page = Image.fromarray(noise(3).transpose(1, 2, 0))
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page])
    with pytest.raises(UserError, match=r"pages\.tif: holds several pages"):
        read(tmp_path / "pages.tif")
    path = write(tmp_path / "overview.tif", noise(3))
    with rasterio.open(path, "r+") as file:
        file.write_mask(True)
        file.build_overviews([2])
    np.testing.assert_array_equal(read(path), read_image(path))


def test_colours_are_found_by_their_names(tmp_path: Path) -> None:
    bands = noise(4)
    path = write(tmp_path / "a.tif", bands, "undefined blue green red")
    np.testing.assert_array_equal(read(path), bands[[3, 2, 1]].transpose(1, 2, 0))


def test_sixteen_bits_become_their_high_byte_and_grey_three_bands(tmp_path: Path) -> None:
    bands = noise(1, "uint16", 65536)
    np.testing.assert_array_equal(read(write(tmp_path / "a.tif", bands)), np.stack([bands[0] >> 8] * 3, -1))


def test_pixels_without_data_are_known(tmp_path: Path) -> None:
    bands = noise(3)
    bands[:, :10] = 7
    bands[:, 10:][bands[:, 10:] == 7] = 8
    with open_raster(write(tmp_path / "a.tif", bands, nodata=7)) as raster:
        valid = raster.holds_data(slice(5, 15), slice(0, 50))
    assert valid.tolist() == [[row >= 5] * 50 for row in range(10)]


@pytest.mark.parametrize(
    ("pixels", "says"),
    [(noise(12), "12 bands, of which none are marked"), (noise(3, "float32"), "bands of float32; uint8 or uint16")],
)
def test_what_has_no_colours_is_refused_in_one_line(tmp_path: Path, pixels: np.ndarray, says: str) -> None:
    path = write(tmp_path / "a.tif", pixels, photometric="minisblack")
    with pytest.raises(UserError, match=f"{path}: {says}"), open_raster(path):
        pass


def test_a_damaged_raster_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", noise(3))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=f"{path}: a raster that cannot be read"):
        read(path)
