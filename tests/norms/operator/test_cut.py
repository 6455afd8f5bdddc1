"""How maps are cut: everything is read once, whatever the shape."""

from hypothesis import given
from hypothesis import strategies as st

from switchseg.norms.operator.cut import PROGRAMS, Cut

SIZES = st.integers(1, 4096)


@given(images=st.integers(1, 64), channels=SIZES, length=st.integers(1, 1 << 20), channels_last=st.booleans())
def test_the_tiles_cover_all_maps_once(images, channels, length, channels_last):
    cut = Cut.of(images, channels, length, channels_last)
    assert (cut.splits - 1) * cut.span < length <= cut.splits * cut.span
    rows, splits = cut.tiles
    assert splits == cut.splits
    assert rows % images == 0
    assert (rows // images - 1) * cut.block_r < channels <= rows // images * cut.block_r


@given(images=st.integers(1, 64), channels=SIZES, length=st.integers(1, 1 << 20), channels_last=st.booleans())
def test_blocks_are_powers_of_two_and_hold_what_they_must(images, channels, length, channels_last):
    cut = Cut.of(images, channels, length, channels_last)
    blocks = cut.blocks
    for name in ("BLOCK_R", "BLOCK_L", "BLOCK_C", "BLOCK_S", "BLOCK_B", "BLOCK_N"):
        assert blocks[name] & (blocks[name] - 1) == 0, name
    assert blocks["BLOCK_S"] >= cut.splits
    assert blocks["BLOCK_R"] * blocks["BLOCK_L"] <= 2048
    if cut.splits > 1:
        assert cut.span % cut.block_l == 0


def test_many_maps_are_read_whole_and_one_large_map_is_split():
    assert Cut.of(16, 2048, 64, False).whole
    few = Cut.of(2, 64, 90 * 120, False)
    assert not few.whole
    assert few.tiles[0] * few.tiles[1] <= 2 * PROGRAMS
