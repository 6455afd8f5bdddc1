"""Run directories as a training leaves them, without the training: small, quick, and with pictures that look real."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

from switchseg.classes import Classes
from switchseg.labels import IGNORED
from switchseg.reports.runs import Run

CLASSES = Classes.named(
    ("sky", "building", "road", "pavement", "tree", "car", "person", "pole", "sign", "bicycle", "fence")
)
START = 1_760_000_000.0
LAYERS = ("encoder.bn1", *(f"encoder.layer{s}.{b}.bn{n}" for s in (1, 2, 3, 4) for b in (0, 1) for n in (1, 2)))
QUALITY = {"syncbn": 0.55, "gn": 0.5, "sn": 0.75}


def make_run(folder: Path, norm: str, *, steps: int = 240, images: int = 4, size: tuple[int, int] = (180, 240)) -> Path:
    """Write the run directory of a training with `norm` that came to its end."""
    random = np.random.default_rng(sum(map(ord, norm)))
    (folder / "pictures").mkdir(parents=True)
    write_config(folder, norm, steps)
    matrix = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for index in range(images):
        image, label = draw_street(np.random.default_rng(index), *size)
        prediction, confidence = predict(random, label, QUALITY.get(norm, 0.6) + 0.15 * np.cos(index * 2.2))
        save_picture(folder / "pictures", f"street_{index:03d}", image, label, prediction, confidence)
        counted = label != IGNORED
        np.add.at(matrix, (label[counted], prediction[counted]), 1)
    write_confusion(folder, matrix)
    single = evaluation(matrix, images, [240])
    multi = evaluation(matrix + 2 * np.diag(np.diag(matrix)), images, [180, 240, 300])
    (folder / "metrics.json").write_text(json.dumps({"single": single, "multi": multi}))
    write_log(folder, norm, steps, random, single)
    if norm == "sn":
        write_suspects(folder)
    return folder


def write_suspects(folder: Path) -> None:
    """Write what `switchseg suspects` leaves: two regions, one of them with a picture."""
    (folder / "suspects").mkdir()
    Image.new("RGB", (64, 48), (90, 120, 80)).save(folder / "suspects" / "001.jpg")
    regions = [
        {"rank": rank, "picture": picture, "image": f"street_{rank:03d}", "split": "train", "given": given}
        | {"likelier": "road", "score": 9.5 / rank, "confidence": 0.9, "pixels": 100 * rank, "box": [0, 0, 9, 9]}
        for rank, picture, given in ((1, "001.jpg", "car"), (2, None, "sky"))
    ]
    images = [{"image": each["image"], "split": "train", "score": each["score"], "regions": 1} for each in regions]
    found = {"rule": "The rule.", "images_searched": 5, "typical_confidence": {}, "regions": regions, "images": images}
    (folder / "suspects" / "suspects.json").write_text(json.dumps(found))


def write_config(folder: Path, norm: str, steps: int) -> None:
    config = {
        "model": {"encoder": "resnet18_dilated8", "decoder": "c1_bilinear_deepsup", "norm": norm, "num_classes": 11},
        "data": {"dataset": "scenes", "root": "runs/scenes"},
        "optim": {"optimizer": "sgd", "lr": 0.02},
        "train": {"steps": steps, "images_per_device": 2, "seed": 304},
        "evaluate": {"split": "val", "short_sides": [240]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps({"norm": norm, "classes": CLASSES.to_json()}))


def write_log(folder: Path, norm: str, steps: int, random: np.random.Generator, single: dict) -> None:
    lines = [
        {
            "event": "start",
            "step": 0,
            "time": START,
            "environment": {"torch": "2.14.1", "python": "3.12.3", "device": "cpu", "ranks": 1, "commit": "0302625"},
            "parameters": 12_345_678,
            "images": 96,
        }
    ]
    for step in range(5, steps + 1, 5):
        part, time = step / steps, START + 0.9 * step
        lr = 0.02 * (1 - part) ** 0.9
        loss = 2.4 * np.exp(-3 * QUALITY.get(norm, 0.6) * part) + 0.3 + 0.15 * random.standard_normal()
        lines.append(
            {
                "event": "train",
                "step": step,
                "time": time,
                "epoch": step * 2 / 96,
                "loss": float(loss),
                "accuracy": float(np.clip(0.9 - 0.22 * loss + 0.03 * random.standard_normal(), 0, 1)),
                "lr": {"encoder": lr, "decoder": lr},
                "images_per_second": float(2.2 + 0.2 * random.standard_normal()),
                "data_wait": float(abs(0.02 * random.standard_normal())),
            }
        )
        if norm == "sn" and step % 20 == 0:
            lines.append({"event": "shares", "step": step, "time": time, "layers": shares(part)})
        if step % 60 == 0:
            scores = {k: v for k, v in single.items() if k != "per_class"}
            scores = {k: v * min(1, 0.4 + part * 0.7) if isinstance(v, float) else v for k, v in scores.items()}
            lines.append({"event": "evaluate", "step": step, "time": time, "split": "val", **scores})
    lines.append({"event": "end", "step": steps, "time": START + steps, "seconds": float(steps)})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def shares(part: float) -> dict:
    """Return the shares after `part` of a training: equal at first, then early layers lean to IN, late ones to BN."""
    layers = {}
    for index, layer in enumerate(LAYERS):
        depth = index / (len(LAYERS) - 1)
        layers[layer] = {}
        for which, swing in (("mean", 1.6), ("var", 2.4)):
            logits = part * swing * np.array([0.8 - depth, 0.6 * np.sin(7 * depth + swing), depth - 0.3])
            values = np.exp(logits) / np.exp(logits).sum()
            layers[layer][which] = dict(zip(("in", "ln", "bn"), map(float, values), strict=True))
    return layers


def draw_street(random: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image uint8 [H, W, 3] of a street and its label map [H, W]."""
    label = np.zeros((height, width), np.uint8)
    image = np.zeros((height, width, 3), np.float32)
    image[:] = np.linspace((120, 165, 215), (215, 225, 235), height)[:, None]
    horizon = int(height * random.uniform(0.45, 0.58))

    def paint(name: str, colour: tuple[float, float, float], points: list[tuple[float, float]]) -> None:
        polygon = np.array([points], np.float32).astype(np.int32)
        cv2.fillPoly(image, polygon, [c * random.uniform(0.8, 1.15) for c in colour])
        cv2.fillPoly(label, polygon, [CLASSES.names.index(name)])

    def box(name: str, colour: tuple[float, float, float], x: float, y: float, w: float, h: float) -> None:
        paint(name, colour, [(x, y), (x + w, y), (x + w, y + h), (x, y + h)])

    x = 0.0
    while x < width:
        w, h = random.uniform(0.12, 0.25) * width, random.uniform(0.3, 0.9) * horizon
        wall = tuple(random.uniform(70, 170, 3))
        box("building", wall, x, horizon - h, w, h + 2)
        for wx in np.arange(x + 4, x + w - 5, 9):
            for wy in np.arange(horizon - h + 5, horizon - 5, 11):
                cv2.rectangle(image, (int(wx), int(wy)), (int(wx + 4), int(wy + 6)), [60, 75, 95], -1)
        x += w + random.uniform(-3, 12)
    box("pavement", (165, 155, 150), 0, horizon, width, height)
    vanish = width * random.uniform(0.35, 0.65)
    paint("road", (92, 92, 98), [(vanish - 8, horizon), (vanish + 8, horizon), (width * 1.05, height), (0, height)])
    for side in (-1, 1):
        tx = vanish + side * width * random.uniform(0.22, 0.4)
        box("pole", (80, 60, 45), tx - 2, horizon - 10, 4, 24)
        for _ in range(6):
            centre = (int(tx + random.normal(0, 9)), int(horizon - 25 + random.normal(0, 9)))
            cv2.circle(image, centre, 13, [45 * random.uniform(0.7, 1.2), 110 * random.uniform(0.8, 1.1), 50], -1)
            cv2.circle(label, centre, 13, [CLASSES.names.index("tree")], -1)
    for _ in range(3):
        depth = random.uniform(0.2, 0.9)
        y, w = horizon + depth * (height - horizon) * 0.6, 18 + 50 * depth
        cx = vanish + random.uniform(-0.5, 0.5) * width * depth
        colour = tuple(random.uniform(30, 210, 3))
        box("car", colour, cx - w / 2, y, w, w * 0.3)
        paint(
            "car",
            colour,
            [(cx - w * 0.3, y), (cx - w * 0.2, y - w * 0.2), (cx + w * 0.2, y - w * 0.2), (cx + w * 0.3, y)],
        )
    for _ in range(2):
        px, py = random.uniform(0.05, 0.95) * width, horizon + random.uniform(0, 25)
        box("person", (150, 70, 60), px, py, 6, 22)
    box("sign", (200, 180, 40), width * random.uniform(0.1, 0.9), horizon - 30, 11, 11)
    label[-4:] = IGNORED
    noise = cv2.GaussianBlur(random.normal(0, 18, image.shape), (0, 0), 1.2) + random.normal(0, 5, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7) + noise, 0, 255).astype(np.uint8), label


def predict(random: np.random.Generator, label: np.ndarray, quality: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the label map and the confidence (0 to 1) of a model that is right for about `quality` of the pixels."""
    height, width = label.shape
    noise = random.normal(0, 1, (len(CLASSES), height // 12 + 2, width // 12 + 2))
    field = np.stack([cv2.resize(n, (width, height), interpolation=cv2.INTER_CUBIC) for n in noise])
    truth = np.eye(len(CLASSES), dtype=np.float32)[np.where(label == IGNORED, 2, label)].transpose(2, 0, 1)
    truth = np.stack([cv2.GaussianBlur(t, (0, 0), 3) for t in truth])
    logits = 5 * quality * truth + field
    probabilities = np.exp(logits) / np.exp(logits).sum(0)
    return probabilities.argmax(0).astype(np.uint8), probabilities.max(0)


def save_picture(
    folder: Path, name: str, image: np.ndarray, label: np.ndarray, prediction: np.ndarray, confidence: np.ndarray
) -> None:
    Image.fromarray(image).save(folder / f"{name}_image.jpg", quality=90)
    for part, values in (("truth", label), ("labels", prediction)):
        picture = Image.fromarray(values)
        colours = [channel for colour in CLASSES.palette for channel in colour]
        # All 256, or Pillow stores as few bits as the colours take, and 255 comes back as another class.
        picture.putpalette(colours + [0] * (768 - len(colours)))
        picture.save(folder / f"{name}_{part}.png")
    Image.fromarray((confidence * 255).astype(np.uint8)).save(folder / f"{name}_confidence.png")


def write_confusion(folder: Path, matrix: np.ndarray) -> None:
    with (folder / "confusion_single.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *CLASSES.names])
        writer.writerows([name, *row] for name, row in zip(CLASSES.names, matrix.tolist(), strict=True))


def evaluation(matrix: np.ndarray, images: int, short_sides: list[int]) -> dict:
    """Return what `evaluate --json` writes for a confusion matrix, computed apart from switchseg.metrics."""
    hits, truth, found = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    union = truth + found - hits
    iou = np.where(union > 0, hits / np.maximum(union, 1), np.nan)
    accuracy = np.where(truth > 0, hits / np.maximum(truth, 1), np.nan)
    pixel_accuracy, all_classes = hits.sum() / matrix.sum(), float(np.nan_to_num(iou).mean())
    return {
        "mean_iou": float(np.nanmean(iou)),
        "mean_iou_all_classes": all_classes,
        "pixel_accuracy": float(pixel_accuracy),
        "overall_score": float((pixel_accuracy + all_classes) / 2),
        "mean_class_accuracy": float(np.nanmean(accuracy)),
        "frequency_weighted_iou": float(np.nansum(iou * truth) / truth.sum()),
        "per_class": [
            {
                "index": index,
                "name": name,
                "iou": None if np.isnan(iou[index]) else float(iou[index]),
                "accuracy": None if np.isnan(accuracy[index]) else float(accuracy[index]),
                "pixels": int(truth[index]),
            }
            for index, name in enumerate(CLASSES.names)
        ],
        "images": images,
        "short_sides": short_sides,
        "flip": False,
        "seconds": 12.5,
    }


# (norm, images per device, seed) -> mIoU
SCORES = {
    ("bn", 2, 304): 0.39,
    ("bn", 2, 305): 0.38,
    ("bn", 2, 306): 0.40,
    ("sn", 2, 304): 0.42,
    ("sn", 2, 305): 0.43,
    ("sn", 2, 306): 0.39,
    ("sn", 1, 304): 0.41,
}


def make_studied(template: Run, scores: dict = SCORES, **settings: object) -> list[Run]:
    """Return runs like `template` with these scores; `settings` are further ones of the model section."""
    return [
        replace(
            template,
            path=Path(f"{norm}-{images}-{seed}-{len(settings)}"),
            config={
                **template.config,
                "model": {"norm": norm, **settings},
                "train": {"images_per_device": images, "seed": seed, "steps": 800 // images},
            },
            single=replace(template.single, mean_iou_all_classes=score),
            multi=None,
        )
        for (norm, images, seed), score in scores.items()
    ]
