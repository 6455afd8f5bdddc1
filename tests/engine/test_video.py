from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from switchseg.config.inference import Rule
from switchseg.engine.inputs import find_inputs
from switchseg.engine.predict import predict
from switchseg.engine.predictor import Predictor

av = pytest.importorskip("av", reason="videos need PyAV (the extra `video`)")


def stored(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture(scope="module")
def predictor(camvid_model: Path) -> Predictor:
    return Predictor(camvid_model, rule=Rule(short_sides=(32,)), device="cpu")


def write_video(path: Path, frames: int, width: int = 48, height: int = 32) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25, 2))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            pixels = np.full((height, width, 3), 12 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())


def test_a_video_keeps_its_frames_and_their_times(predictor: Predictor, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", frames=6)
    out = tmp_path / "out"
    assert predict(predictor, find_inputs([tmp_path / "clip.mp4"]), out, quiet=True) == {}
    with av.open(str(tmp_path / "clip.mp4")) as before, av.open(str(out / "clip_overlay.mp4")) as after:
        original, drawn = ([(f.time, f.width, f.height) for f in c.decode(video=0)] for c in (before, after))
    assert drawn == original
    assert len(drawn) == 6
    maps = sorted((out / "clip_labels").iterdir())
    assert [path.name for path in maps] == [f"{number:06}.png" for number in range(1, 7)]
    assert stored(maps[0]).size == (48, 32)
    assert (out / "clip_shares.json").is_file()


def test_frames_without_time_stamps_follow_each_other_at_the_rate_of_the_video(
    predictor: Predictor, tmp_path: Path
) -> None:
    clip, out = tmp_path / "clip.mpg", tmp_path / "out"
    with av.open(str(clip), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for index in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 48, 3), 40 * index, np.uint8))))
        container.mux(stream.encode())
    with av.open(str(clip)) as container:
        assert [frame.pts for frame in container.decode(video=0)] == [None] * 6
    assert predict(predictor, find_inputs([clip]), out, quiet=True) == {}
    with av.open(str(out / "clip_overlay.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([index / 10 for index in range(6)])


def test_the_video_is_labelled_not_the_picture_before_it(predictor: Predictor, tmp_path: Path) -> None:
    clip, out = tmp_path / "clip.mkv", tmp_path / "out"
    with av.open(str(clip), "w") as container:
        cover = container.add_stream("mjpeg", rate=10)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8)).reformat(format="yuvj420p")
        container.mux([*cover.encode(picture), *cover.encode()])
        for index in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 48, 3), 60 * index, np.uint8))))
        container.mux(stream.encode())
    assert predict(predictor, find_inputs([clip]), out, quiet=True) == {}
    maps = sorted((out / "clip_labels").iterdir())
    assert [stored(each).size for each in maps] == [(48, 32)] * 4


def test_a_video_that_the_network_fails_on_is_named(predictor: Predictor, camvid_model: Path, tmp_path: Path) -> None:
    broken = Predictor(camvid_model, rule=predictor.rule, device="cpu")
    with torch.no_grad():
        broken.model.decoder.classify.bias[0] = torch.nan
    write_video(tmp_path / "clip.mp4", frames=2)
    path = str(tmp_path / "clip.mp4")
    failures = predict(broken, find_inputs([path]), tmp_path / "out", quiet=True)
    assert failures[path].startswith(f"{path}: the logits at short side 32 are not finite")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["legend.png", "predict.json"]


def test_a_file_that_is_no_video_is_reported(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"nothing of the kind" * 50)
    failures = predict(predictor, find_inputs([tmp_path / "clip.mp4"]), tmp_path / "out", quiet=True)
    assert "not a video that can be decoded" in failures[str(tmp_path / "clip.mp4")]
    assert not (tmp_path / "out" / "clip_overlay.mp4").exists()


def test_a_video_that_is_cut_off_leaves_no_half_result(predictor: Predictor, tmp_path: Path) -> None:
    write_video(tmp_path / "whole.mp4", frames=20)
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "clip.mp4").write_bytes(content[: len(content) // 3])
    failures = predict(predictor, find_inputs([tmp_path / "clip.mp4"]), tmp_path / "out", quiet=True)
    assert list(failures) == [str(tmp_path / "clip.mp4")]
    assert not (tmp_path / "out" / "clip_shares.json").exists()


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Overwrite the matrix in the track header: column x, row y is shown at column ax + cy, row bx + dy."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4
    assert content[start] == 0  # the short form of the header
    start += 40
    values = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    content[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(content)


def shown(stored: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """Move every pixel by the formula, into the smallest picture that holds them all."""
    rows, columns = np.mgrid[: stored.shape[0], : stored.shape[1]]
    to_columns, to_rows = a * columns + c * rows, b * columns + d * rows
    to_columns, to_rows = to_columns - to_columns.min(), to_rows - to_rows.min()
    result = np.zeros((to_rows.max() + 1, to_columns.max() + 1, 3), np.uint8)
    result[to_rows, to_columns] = stored
    return result


TURNS = [(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1), (0, 1, 1, 0), (0, 1, -1, 0), (0, -1, 1, 0)]


@pytest.mark.parametrize("matrix", [*TURNS, (0, -1, -1, 0)])
def test_frames_are_turned_as_players_show_them(
    predictor: Predictor, tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
        container.mux(stream.encode())
    with av.open(str(clip)) as container:
        upright = shown(next(container.decode(video=0)).to_ndarray(format="rgb24"), *matrix)
    set_display_matrix(clip, *matrix)
    assert predict(predictor, find_inputs([clip]), out, quiet=True) == {}
    np.testing.assert_array_equal(np.asarray(stored(out / "clip_labels" / "000001.png")), predictor(upright).labels)
    with av.open(str(out / "clip_overlay.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.height, frame.width, frame.rotation) == (*upright.shape[:2], 0)


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 1, -1, 1), (1, 0, 1, 1)])
def test_a_matrix_that_no_camera_writes_turns_nothing(
    predictor: Predictor, tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    write_video(tmp_path / "clip.mp4", frames=2)
    set_display_matrix(tmp_path / "clip.mp4", *matrix)
    assert predict(predictor, find_inputs([tmp_path / "clip.mp4"]), tmp_path / "out", quiet=True) == {}
    assert stored(tmp_path / "out" / "clip_labels" / "000001.png").size == (48, 32)


def test_a_shorter_video_of_the_same_name_leaves_no_frame_of_the_longer_one(
    predictor: Predictor, tmp_path: Path
) -> None:
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    for frames in (6, 2):
        write_video(clip, frames)
        predict(predictor, find_inputs([clip]), out, quiet=True)
        assert len(list((out / "clip_labels").iterdir())) == frames
    clip.write_bytes(b"no video")
    predict(predictor, find_inputs([clip]), out, quiet=True)
    assert not (out / "clip_labels").exists()
    assert not (out / "clip_overlay.mp4").exists()
