"""HRNetV2 against timm's network with MIT's upsampling."""

import timm
import torch
from torch import Tensor, nn

from switchseg.models.encoders.timm_encoder import create_encoder


def test_hrnet_upsamples_bilinearly_where_timm_takes_the_nearest() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        encoder = create_encoder("hrnetv2").eval()
        reference = timm.create_model(
            "hrnet_w48", features_only=True, feature_location="", out_indices=(1, 2, 3, 4)
        ).eval()
        reference.load_state_dict(encoder.body.state_dict())
        for module in reference.modules():
            if isinstance(module, nn.Upsample):
                module.mode, module.align_corners = "bilinear", False
        image = torch.randn(1, 3, 64, 96)
        maps: list[Tensor] = reference(image)
        expected = torch.cat(
            [nn.functional.interpolate(m, maps[0].shape[2:], mode="bilinear", align_corners=False) for m in maps], 1
        )
        torch.testing.assert_close(encoder(image)[0], expected, rtol=1e-5, atol=1e-5)
        assert encoder(torch.randn(1, 3, 67, 93))[0].shape == (1, 720, 17, 24)
