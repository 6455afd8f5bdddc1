from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from switchseg.models.blocks import average_pool
from switchseg.models.create import create_model


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 7), st.integers(1, 40), st.integers(1, 40))
def test_average_pool_is_adaptive_pooling(size: int, height: int, width: int) -> None:
    maps = torch.randn(2, 3, height, width, dtype=torch.float64)
    torch.testing.assert_close(average_pool(maps, size), F.adaptive_avg_pool2d(maps, size), rtol=0, atol=1e-12)


def test_average_pool_finds_shapes_without_memory() -> None:
    assert average_pool(torch.empty(2, 3, 5, 7, device="meta"), 3).shape == (2, 3, 3, 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_average_pool_loses_nothing_to_autocast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    maps = (3 + torch.randn(2, 3, 21, 28)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        pooled = average_pool(maps, 3)
    assert pooled.dtype == dtype
    expected = F.adaptive_avg_pool2d(maps.double(), 3)
    torch.testing.assert_close(pooled.double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.slow
def test_pyramid_pooling_exports_to_onnx_at_any_size(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = create_model("resnet18_dilated8", "ppm", "bn", 4).eval()
    height, width = torch.export.Dim("height", min=64, max=1024), torch.export.Dim("width", min=64, max=1024)
    file = tmp_path / "ppm.onnx"
    torch.onnx.export(
        model,
        (torch.randn(1, 3, 96, 128),),
        file,
        dynamo=True,
        dynamic_shapes=({2: height, 3: width},),
        verbose=False,
    )
    session = onnxruntime.InferenceSession(file)
    for size in ((96, 128), (192, 72), (104, 200)):
        image = torch.randn(1, 3, *size)
        with torch.no_grad():
            expected = model(image).numpy()
        (result,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)
