import json

import pytest
import torch

from switchseg.preprocessing import BGR, RGB, Preprocessing


def images():
    return torch.randint(0, 256, (2, 3, 4, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_rgb_is_torchvisions():
    pixels = images().double() / 255
    mean, std = torch.tensor(RGB.mean).double().view(3, 1, 1), torch.tensor(RGB.std).double().view(3, 1, 1)
    torch.testing.assert_close(RGB.normalize(images(), torch.float64), (pixels - mean) / std, rtol=1e-6, atol=1e-6)
    assert RGB.normalize(images()).dtype == torch.float32


def test_bgr_is_that_of_2018():
    mean = torch.tensor([102.9801, 115.9465, 122.7717]).view(3, 1, 1)
    assert torch.equal(BGR.normalize(images()), images().flip(1).float() - mean)


def test_json_round_trip():
    for preprocessing in (RGB, BGR, Preprocessing("bgr", 0.5, (1, 2, 3), (4, 5, 6))):
        assert Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="'rgb' or 'bgr'"):
        Preprocessing("yuv")
