from switchseg.models.summary import summarize_encoder, summarize_model


def test_operations_are_two_per_product_of_a_convolution() -> None:
    """C1 on ResNet-18 at stride 32 and 96 x 96 pixels: maps of 3 x 3, a 3x3 from 512 to 128, a 1x1 to 7 classes."""
    encoder = summarize_encoder("resnet18", 96)
    model = summarize_model("resnet18", "c1", "bn", 7, 96)
    assert model.flops - encoder.flops == 2 * 3 * 3 * (9 * 512 * 128 + 128 * 7)
    assert model.parameters - encoder.parameters == 9 * 512 * 128 + 2 * 128 + 128 * 7 + 7
    assert (encoder.stride, model.stride) == (32, 32)


def test_norms_add_parameters_but_no_products() -> None:
    batch_norm, switch = (summarize_model("resnet18_dilated8", "c1", norm, 7, 64) for norm in ("bn", "sn"))
    assert switch.flops == batch_norm.flops
    assert switch.parameters > batch_norm.parameters
    assert switch.stride == 8
