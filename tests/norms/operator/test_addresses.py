"""Where tensors lie, read by the library and asked of each tensor: both must find the same, and refuse the same."""

from struct import unpack

import pytest
import torch

from switchseg.norms.operator import addresses
from switchseg.norms.operator.addresses import LIKE_MAPS, Form, Forms

SHAPE = (2, 3, 4, 5)
MAPS, ROW, COUNT = Form(torch.bfloat16, LIKE_MAPS), Form(torch.float32, 3), Form(torch.int64, 1)


class _Other(torch.Tensor):
    """Any subclass: what it keeps and where is its own affair."""


@pytest.fixture(params=["read", "asked"])
def reader_of(request):
    """Return what makes a reader of forms, as it is with the library and without."""
    if request.param == "read" and addresses._read is None:
        pytest.skip("no compiler when the package was installed")

    def make(*forms, strides=(60, 20, 5, 1), keeps_places=True, exact=True):
        found = Forms(SHAPE, strides, forms, keeps_places)
        reader = found.reader(exact)
        return reader if request.param == "read" else lambda tensors: found.ask(exact, tensors)

    return make


def maps(order=torch.contiguous_format):
    return torch.zeros(SHAPE, dtype=torch.bfloat16).contiguous(memory_format=order)


def test_addresses_are_those_of_the_data(reader_of):
    x, row, count = maps(), torch.nn.Parameter(torch.zeros(3)), torch.zeros((), dtype=torch.int64)
    found = reader_of(MAPS, ROW, COUNT)((x, row[:], count))
    assert unpack("3Q", found) == (x.data_ptr(), row.data_ptr(), count.data_ptr())


def test_views_begin_where_they_begin(reader_of):
    row = torch.zeros(7)[2:5]
    assert unpack("2Q", reader_of(MAPS, ROW)((maps(), row)))[1] == row.data_ptr()


def test_what_is_none_leaves_its_place_or_does_not(reader_of):
    tensors = maps(), None, torch.zeros(3)
    assert unpack("3Q", reader_of(MAPS, None, ROW)(tensors))[1] == 0
    assert len(reader_of(MAPS, None, ROW, keeps_places=False)(tensors)) == 16


def test_maps_lie_in_the_order_that_was_said(reader_of):
    last = maps(torch.channels_last)
    assert reader_of(MAPS, strides=last.stride())((last,)) is not None
    assert reader_of(MAPS, strides=last.stride())((maps(),)) is None
    assert reader_of(MAPS)((last,)) is None


def test_strides_of_a_single_element_do_not_matter(reader_of):
    row = torch.zeros(3, 1).as_strided((3, 1), (1, 7))
    assert reader_of(MAPS, ROW)((maps(), row)) is not None


def freed():
    row = torch.zeros(3)
    row.untyped_storage().resize_(0)
    return row


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(3).double(),
        lambda: torch.zeros(4),
        lambda: torch.zeros(1).expand(3),
        lambda: torch.zeros(6)[::2],
        lambda: torch.zeros(3, device="meta"),
        lambda: torch.zeros(3).to_sparse(),
        freed,
        lambda: None,
    ],
    ids=["type", "size", "expanded", "sliced", "elsewhere", "sparse", "freed", "none"],
)
@pytest.mark.parametrize("exact", [True, False])
def test_a_row_that_does_not_fit_is_refused(reader_of, make, exact):
    assert reader_of(MAPS, ROW, exact=exact)((maps(), make())) is None


def test_maps_of_another_shape_are_refused(reader_of):
    assert reader_of(MAPS)((maps()[..., :4],)) is None
    assert reader_of(MAPS)((maps().flatten(2),)) is None
    assert reader_of(MAPS)((maps().view(3, 2, 4, 5),)) is None


def test_a_tensor_where_there_is_to_be_none_is_refused(reader_of):
    assert reader_of(MAPS, None)((maps(), torch.zeros(3))) is None


def test_subclasses_are_taken_unless_types_are_to_be_exact(reader_of):
    tensors = maps(), torch.zeros(3).as_subclass(_Other)
    assert reader_of(MAPS, ROW)(tensors) is None
    assert reader_of(MAPS, ROW, exact=False)(tensors) is not None
