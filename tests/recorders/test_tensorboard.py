"""Event files as TensorBoard itself reads them."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.recorders.told import crash_and_go_on


def test_it_reads_like_an_undisturbed_run(tmp_path):
    crash_and_go_on("tensorboard", tmp_path)
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert board.Scalars("shares/encoder.bn1/mean/bn")[-1].value == 0.75
    assert board.Tags()["images"] == ["pictures/street"]
    assert set(board.Tags()["tensors"]) == {"run/config/text_summary", "run/environment/text_summary"}
