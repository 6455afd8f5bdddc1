"""Surfaces: colours in range, the same at every call, and the patterns that they promise."""

import numpy as np
import pytest

from switchseg.data.scenes import textures
from switchseg.data.scenes.textures import rgb

A, B = np.linspace(0, 4, 60, dtype=np.float32)[None], np.linspace(0, 3, 40, dtype=np.float32)[:, None]

SURFACES = {
    "plain": textures.plain((100, 120, 140)),
    "bricks": textures.bricks((160, 90, 70), (60, 60, 60), 0.5, 0.2),
    "windows": textures.windows(textures.plain((180, 170, 160)), (80, 100, 120), (1.0, 1.0), (0.5, 0.5)),
    "stripes": textures.stripes((200, 200, 190), (120, 110, 90), 0.3),
    "foliage": textures.foliage((80, 120, 60)),
    "sky": textures.sky((90, 140, 210), (190, 215, 235), 0.4, 7),
    "painting": textures.painting([(200, 30, 30), (30, 60, 140), (220, 220, 220)], 3),
}


@pytest.mark.parametrize("texture", SURFACES.values(), ids=SURFACES)
def test_a_surface_is_a_function_of_its_coordinates(texture):
    first = texture(A, B)
    assert first.shape == (40, 60, 3)
    assert first.dtype in (np.float32, np.float64)
    assert np.isfinite(first).all()
    assert -60 < first.min() <= first.max() < 330  # is clipped when the scene is finished
    assert np.array_equal(first, texture(A, B))
    assert np.allclose(first[10:20, 5:30], texture(A[:, 5:30], B[10:20]), atol=1e-3)


def test_noise_is_standardised_and_repeats_without_a_seam():
    tile = textures._noise_tile()
    assert abs(tile.mean()) < 1e-4
    assert abs(tile.std() - 1) < 1e-4
    inside = np.abs(np.diff(tile, axis=1)).mean()
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() < 3 * inside


def test_stripes_are_as_wide_as_asked_for():
    colours = textures.stripes((255, 255, 255), (0, 0, 0), 0.5)(A, B)
    assert (colours[:, A[0] % 1 < 0.45].mean(), colours[:, (A[0] % 1 > 0.55) & (A[0] % 1 < 0.95)].mean()) == (
        pytest.approx(255, abs=5),
        pytest.approx(0, abs=5),
    )


def test_random_colours_keep_to_their_range():
    rng = np.random.default_rng(0)
    drawn = np.array([textures.random_colour(rng, 20, 40) for _ in range(50)])
    assert 20 <= drawn.min() < drawn.max() <= 40
    assert rgb((1, 2, 3)).dtype == np.float32
