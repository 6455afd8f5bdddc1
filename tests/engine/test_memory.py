"""Memory follows the image, not classes x pixels x scales."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from switchseg.checkpoints.model_directory import save_model
from switchseg.config.inference import Rule
from switchseg.engine.inference import logit_maps
from switchseg.engine.predictor import Predictor
from switchseg.models.create import create_model

GIB = 2**30
PREDICT = """
import resource, sys
import numpy as np
from switchseg.config.inference import Rule
from switchseg.engine.predictor import Predictor
model, image, out = sys.argv[1:]
predictor = Predictor(model, rule=Rule(short_sides=(300, 400, 500, 600)), device="cpu")
np.save(out, predictor(image).labels)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # KiB
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_24_megapixels_with_150_classes_at_four_scales_take_less_than_4_gib(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_model(create_model("resnet18_dilated8", "c1", "sn", num_classes=150), tmp_path / "model")
    coarse = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(coarse).resize((6000, 4000), Image.Resampling.BICUBIC).save(tmp_path / "photo.jpg")
    files = [str(tmp_path / name) for name in ("model", "photo.jpg", "labels.npy")]
    done = subprocess.run([sys.executable, "-c", PREDICT, *files], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 4 * GIB  # the scores alone would be 13.4 GiB
    labels = np.load(tmp_path / "labels.npy")
    assert labels.shape == (4000, 6000)
    # The plain way on strips of the same photograph: whole maps of probabilities, then the argmax.
    predictor = Predictor(tmp_path / "model", device="cpu")
    with Image.open(tmp_path / "photo.jpg") as photo:
        pixels = np.asarray(photo)
    maps = logit_maps(predictor.model, [pixels], Rule(short_sides=(300, 400, 500, 600)))[0]
    for rows in (slice(0, 40), slice(1990, 2030), slice(3960, 4000)):
        assert (labels[rows] == plain_labels(maps, rows, (4000, 6000))).mean() > 0.99999


def plain_labels(maps: list[torch.Tensor], rows: slice, size: tuple[int, int]) -> np.ndarray:
    total = torch.zeros(1, maps[0].shape[-1], rows.stop - rows.start, size[1])
    for logits in maps:
        # float64 coordinates of these rows in the whole map, as align_corners=False has them
        steps = torch.linspace(-1, 1, 2 * size[0] + 1, dtype=torch.float64)[1::2][rows]
        across = torch.linspace(-1, 1, 2 * size[1] + 1, dtype=torch.float64)[1::2]
        grid = torch.stack(torch.meshgrid(steps, across, indexing="ij")[::-1], -1)[None].float()
        upsampled = F.grid_sample(
            logits.permute(2, 0, 1)[None], grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        total += upsampled.softmax(1)
    return total.argmax(1)[0].numpy()
