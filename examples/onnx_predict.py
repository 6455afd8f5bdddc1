"""Label an image with an exported model, without PyTorch and without SwitchSeg.

    switchseg export MODEL --format onnx --preprocess --output labels --out model.onnx
    python onnx_predict.py model.onnx street.jpg labels.png

Needs onnxruntime, numpy and pillow. The labels come as a palette PNG whose pixel values are the class indices.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

SHORT_SIDE = 450  # pixels; the scale that the model is evaluated at
MULTIPLE = 8  # both sides of the input, by stretching


def main(model: str, source: str, target: str) -> None:
    """Write the labels of the image `source` to `target` and print the share of each class."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    classes = json.loads(session.get_modelmeta().custom_metadata_map["switchseg"])["classes"]
    with Image.open(source) as file:
        image = file.convert("RGB")
    scale = SHORT_SIDE / min(image.size)
    size = tuple(-(-int(side * scale) // MULTIPLE) * MULTIPLE for side in image.size)
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR)).transpose(2, 0, 1)[None]
    (labels,) = session.run(None, {"images": pixels})
    picture = Image.fromarray(labels[0].astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
    picture.putpalette([value for entry in classes for value in entry["color"]])
    picture.save(target)
    for index, count in enumerate(np.bincount(np.asarray(picture).ravel(), minlength=len(classes))):
        if count:
            print(f"{100 * count / (image.width * image.height):5.1f} %  {classes[index]['name']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
