from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.engine.inference import Rule
from switchseg.engine.predict import find_inputs, predict
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
