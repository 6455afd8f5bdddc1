"""Label an image with an exported model as `switchseg predict` does, without PyTorch and without SwitchSeg.

    switchseg export MODEL --format onnx --out model.onnx
    python onnx_predict.py model.onnx street.jpg labels.png

Needs onnxruntime, numpy and pillow. What the model wants to see - scales, windows, mirror images, preprocessing - is
in the file. The labels come as a palette PNG whose pixel values are the class indices.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

# Those that `switchseg predict` reads. Pillow knows more, and starts programs for some.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
ROWS = 64  # that are labelled at once, so that memory does not grow with the image


def main(model: str, source: str, target: str) -> None:
    """Write the labels of the image `source` to `target` and print the share of each class."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["switchseg"])
    image = read(source)
    maps = []
    for short_side in about["rule"]["short_sides"]:
        pixels = resize(image, scaled_size(image.shape[:2], short_side, about["rule"]), about["rule"]["resize"])
        inputs = normalized(pixels.transpose(2, 0, 1)[None], about)
        maps.append(logits_of(session, inputs, about))
        if about["rule"]["flip"]:
            maps.append(logits_of(session, np.ascontiguousarray(inputs[..., ::-1]), about)[..., ::-1])
    labels = fuse(maps, image.shape[:2])
    picture = Image.fromarray(labels)
    if labels.dtype == np.uint8:
        picture.putpalette([value for entry in about["classes"] for value in entry["color"]])
    picture.save(target)
    for index, count in enumerate(np.bincount(labels.ravel(), minlength=len(about["classes"]))):
        if count:
            print(f"{100 * count / labels.size:5.1f} %  {about['classes'][index]['name']}")


def read(path: str) -> np.ndarray:
    """Return the image upright, as RGB uint8 [H, W, 3]; of 16 bits the high byte is taken."""
    Image.init()
    # From a file, not from its path, which Pillow would map into memory: it then turns TIFF files wrongly.
    with open(path, "rb") as file, Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
        # A phone's photo may hold smaller pictures of itself.
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
            sys.exit(f"{path}: holds several frames or pages; save each as a file of its own")
        image = ImageOps.exif_transpose(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 65535:
            sys.exit(f"{path}: pixels reach from {wide.min()} to {wide.max()}; save the image with 8 or 16 bits")
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    if image.mode == "F":
        sys.exit(f"{path}: float pixels, which have no fixed range; save the image with 8 or 16 bits")
    if image.mode in ("P", "PA", "LA", "La"):
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def scaled_size(size: tuple, short_side: int, rule: dict) -> tuple:
    """Return the (height, width) that the network sees of an image."""
    scale = min(short_side / min(size), rule["max_long_side"] / max(size))
    return tuple(-(-max(1, int(side * scale)) // rule["multiple"]) * rule["multiple"] for side in size)


def resize(image: np.ndarray, size: tuple, method: str) -> np.ndarray:
    """Resize bilinearly, as Pillow does or in the whole numbers that OpenCV calculates with."""
    if method == "pil":
        return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    (top, bottom, y), (left, right, x) = (taps(new, old) for new, old in zip(size, image.shape, strict=False))
    above, below, before, after = (np.rint(2048 * weight).astype(np.int64) for weight in (1 - y, y, 1 - x, x))
    values = image.astype(np.int64)
    rows = (values[:, left] * before[:, None] + values[:, right] * after[:, None]) >> 4
    sums = (rows[top] * above[:, None, None] >> 16) + (rows[bottom] * below[:, None, None] >> 16)
    return ((sums + 2) >> 2).astype(np.uint8)


def taps(length: int, source: int) -> tuple:
    """Return the two places in the source, and the weight of the second, of each of `length` bilinear samples."""
    place = ((np.arange(length) + 0.5) * (source / length) - 0.5).astype(np.float32).clip(0, source - 1)
    first = place.astype(np.int64)
    return first, np.minimum(first + 1, source - 1), place - first.astype(np.float32)


def normalized(pixels: np.ndarray, about: dict) -> np.ndarray:
    """Turn RGB uint8 [N, 3, H, W] into what the file takes, which may be just that."""
    if about["input"] == "RGB uint8":
        return pixels
    settings = about["preprocessing"]
    values = (pixels[:, ::-1] if settings["channels"] == "bgr" else pixels).astype(np.float32)
    mean, std = (np.array(settings[key]).reshape(3, 1, 1) for key in ("mean", "std"))
    return (values - (mean / settings["scale"]).astype(np.float32)) * (settings["scale"] / std).astype(np.float32)


def logits_of(session: onnxruntime.InferenceSession, inputs: np.ndarray, about: dict) -> np.ndarray:
    """Return the logits [C, h, w] of one image, computed whole or in windows."""
    (height, width), window, grid = inputs.shape[2:], about["rule"]["window"], about["stride"]
    if window is None or window >= max(height, width):
        return session.run(["logits"], {"images": inputs})[0][0]
    step = about["rule"]["stride"] or max(1, 2 * window // 3)
    window, step = (-(-length // grid) * grid for length in (window, step))
    total = np.zeros((len(about["classes"]), -(-height // grid), -(-width // grid)), np.float32)
    count = np.zeros(total.shape[1:], np.float32)
    for top in starts(height, window, step, grid):
        for left in starts(width, window, step, grid):
            part = inputs[:, :, top : top + window, left : left + window]
            part = session.run(["logits"], {"images": np.ascontiguousarray(part)})[0][0]
            rows = slice(top // grid, top // grid + part.shape[1])
            columns = slice(left // grid, left // grid + part.shape[2])
            total[:, rows, columns] += part
            count[rows, columns] += 1
    return total / count


def starts(length: int, window: int, step: int, grid: int) -> list:
    """Return where windows start along one side; the last one ends with the image."""
    if window >= length:
        return [0]
    last = -(-(length - window) // grid) * grid
    return [*range(0, last, step), last]


def fuse(maps: list, size: tuple) -> np.ndarray:
    """Return the class [H, W] whose probability, averaged over the maps at the size of the image, is highest."""
    labels = np.empty(size, np.uint8 if len(maps[0]) <= 255 else np.uint16)
    down = [taps(size[0], logits.shape[1]) for logits in maps]
    across = [taps(size[1], logits.shape[2]) for logits in maps]
    for start in range(0, size[0], ROWS):
        rows, total = slice(start, start + ROWS), 0
        for logits, (upper, lower, y), (left, right, x) in zip(maps, down, across, strict=True):
            values = logits[:, upper[rows]] * (1 - y[rows, None]) + logits[:, lower[rows]] * y[rows, None]
            values = values[:, :, left] * (1 - x) + values[:, :, right] * x
            exponentials = np.exp(values - values.max(0))
            total = total + exponentials / exponentials.sum(0)
        labels[rows] = total.argmax(0)
    return labels


if __name__ == "__main__":
    main(*sys.argv[1:])
