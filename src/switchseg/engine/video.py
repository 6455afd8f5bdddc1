"""Labels videos frame by frame (PyAV, the extra `video`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from switchseg import files
from switchseg.engine.inference import Pixels
from switchseg.engine.pictures import label_image, save
from switchseg.engine.prediction import Prediction
from switchseg.engine.predictor import Predictor
from switchseg.errors import UserError
from switchseg.files import open_regular

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")


def label_video(predictor: Predictor, path: Path, target: Path) -> dict[str, float]:
    """Write TARGET_overlay.mp4 with the timing of the video, and TARGET_labels/000001.png ... for its frames.

    Frames are turned and mirrored as the video asks players to, which photos are too.

    Returns:
        The share of each class over all frames.

    Raises:
        UserError: PyAV is not installed, the file is no video that it can decode, or the model's output is not finite.
    """
    av = _av()
    counts = np.zeros(len(predictor.classes))
    folder = target.parent / f"{target.name}_labels"
    frames = 0
    try:
        with ExitStack() as stack:
            source = stack.enter_context(av.open(stack.enter_context(_opened(path))))
            # What a player shows, not the first one: that may be a cover.
            stream = source.streams.best("video")
            if stream is None:
                raise UserError(f"{path}: a file without a video stream")
            sink = stack.enter_context(files.replacing(target.parent / f"{target.name}_overlay.mp4"))
            writer = stack.enter_context(_Writer(av, sink, stream))
            for prediction, time in _predictions(predictor, path, _timed(source.decode(stream), stream)):
                frames += 1
                # Shares, not pixels: every frame counts the same, also where their sizes change.
                counts += np.bincount(prediction.labels.reshape(-1), minlength=len(counts)) / prediction.labels.size
                save(label_image(prediction.labels, prediction.classes), folder / f"{frames:06}.png")
                writer.add(np.asarray(prediction.overlay()), time)
            if not frames:
                raise UserError(f"{path}: a video without a frame")
    except av.FFmpegError as error:
        raise UserError(f"{path}: not a video that can be decoded ({error.strerror})") from None
    order = np.argsort(-counts, kind="stable")
    return {predictor.classes.names[i]: round(float(counts[i] / frames), 6) for i in order if counts[i]}


def _opened(path: Path) -> IO[bytes]:
    try:
        return open_regular(path)
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


class _Writer(AbstractContextManager["_Writer"]):
    """An H.264 file in the size and with the time stamps of the source."""

    def __init__(self, av: Any, sink: Any, source: Any) -> None:
        self._av = av
        self._container = av.open(sink, "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=_rate(source))
        self._stream.pix_fmt, self._stream.options = "yuv420p", {"crf": "20"}
        # The source's own, so that its time stamps can be taken as they are: players keep a changing frame rate.
        self._stream.time_base = self._stream.codec_context.time_base = source.time_base

    def add(self, pixels: Pixels, time: int) -> None:
        """Encode one frame that is shown from `time` on, in units of the source's time base."""
        # H.264 with subsampled colour wants even sides.
        pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge")
        # The size is known with the first frame, which may be turned, and padded to even sides.
        if not self._stream.codec_context.is_open:
            self._stream.height, self._stream.width = pixels.shape[:2]
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = time, self._stream.time_base
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The encoder holds frames back; after an error they are not wanted, and encoding them may fail again.
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()


def _timed(frames: Iterable[Any], stream: Any) -> Iterator[tuple[Any, int]]:
    """Yield each frame with the time from which it is shown, in units of the stream's time base."""
    usual = max(1, round(1 / (_rate(stream) * stream.time_base)))
    time = 0
    for frame in frames:
        # Some files have no time stamps (a bare H.264 stream): one frame follows when the one before is over.
        time = time if frame.pts is None else frame.pts
        yield frame, time
        time += frame.duration or usual


def _rate(stream: Any) -> Fraction:
    """Return how many frames a second a stream has, as far as can be told."""
    # What a file without time stamps has for an average is made up; the guess asks the codec as well.
    return Fraction(stream.guessed_rate or stream.average_rate or 25)


def _predictions(
    predictor: Predictor, path: Path, frames: Iterable[tuple[Any, int]]
) -> Iterator[tuple[Prediction, int]]:
    waiting: list[tuple[Pixels, int]] = []
    for frame, time in frames:
        waiting.append((_upright(frame), time))
        if len(waiting) == predictor.compute.images_per_batch:
            yield from _flush(predictor, path, waiting)
            waiting = []
    yield from _flush(predictor, path, waiting)


def _upright(frame: Any) -> Pixels:
    """Return the pixels as a player shows them: phones store what their sensor sees and note how it was held."""
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    matrix = _display_matrix(frame)
    if matrix is None:
        return pixels
    (a, b), (c, d) = matrix
    if not (a or d) and b and c:
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    elif b or c or not (a and d):
        return pixels  # no way of holding a camera
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _display_matrix(frame: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return ((a, b), (c, d)) of the display matrix: column x, row y is shown at column ax + cy, row bx + dy."""
    entry = frame.side_data.get("DISPLAYMATRIX")
    if entry is None:
        return None
    a, b, _, c, d, *_ = np.frombuffer(bytes(entry), np.int32).tolist()
    return (a, b), (c, d)


def _flush(predictor: Predictor, path: Path, frames: list[tuple[Pixels, int]]) -> Iterator[tuple[Prediction, int]]:
    try:
        predictions = predictor.batch([pixels for pixels, _ in frames])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    yield from zip(predictions, (time for _, time in frames), strict=True)


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise UserError("videos need PyAV: pip install 'switchseg[video]'") from None
    return av
