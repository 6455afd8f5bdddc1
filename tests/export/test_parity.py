"""How a file is compared with its model: all sizes, labels and values, and when it is refused."""

import numpy as np
import pytest
import torch

from switchseg.errors import UserError
from switchseg.export.network import Deployed, Interface
from switchseg.export.parity import SIZES, Parity, compare, require
from switchseg.models.create import create_model


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Deployed(create_model("resnet18", "c1", "bn", 4).eval(), Interface())


@torch.inference_mode()
def model_says(network, images):
    return network(torch.from_numpy(images)).numpy()


def test_the_model_agrees_with_itself_at_every_size(network):
    seen = []

    def run(images):
        seen.append(images.shape)
        return model_says(network, images)

    parity = compare(network, run)
    assert parity == Parity(1.0, 0.0)
    assert tuple(seen) == SIZES
    require(parity, "file")


def test_differences_are_relative_to_the_largest_value(network):
    def run(images):
        found = model_says(network, images).copy()
        found.flat[0] += 0.5 * np.abs(found).max()
        return found

    assert compare(network, run).difference == pytest.approx(0.5)


def test_a_size_that_the_file_refuses_is_named(network):
    def run(images):
        if images.shape == SIZES[-1]:
            raise RuntimeError("Got invalid dimensions\nand more")
        return model_says(network, images)

    with pytest.raises(UserError, match=r"does not run on images \(2, 3, 8, 8\) \(Got invalid dimensions\); it was"):
        compare(network, run)


@pytest.mark.parametrize("parity", [Parity(0.9998, 0.0), Parity(1.0, 0.002), Parity(1.0, float("nan"))])
def test_too_little_agreement_is_refused(parity):
    with pytest.raises(UserError, match="file was not written: it does not agree with the model"):
        require(parity, "file")


@pytest.mark.parametrize("sizes", [SIZES, SIZES[:1], SIZES[-1:]])
def test_a_value_that_is_no_number_is_a_difference_at_whichever_size(network, sizes):
    def run(images):
        found = model_says(network, images).copy()
        if images.shape in sizes:
            found[:, 0, 0, 0] = np.nan
        return found

    assert np.isnan(compare(network, run).difference)
