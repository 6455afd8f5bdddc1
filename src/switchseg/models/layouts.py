"""Where other code bases keep the tensors that our models have: pure functions on keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from switchseg.errors import UserError

ENCODER_LAYOUTS = ("timm", "2018", "mit", "efficientnet_pytorch")

CLASSIFIERS: tuple[str, ...] = (
    "fc.",
    "head.",
    "classifier.",
    "conv_head.",
    "incre_modules.",
    "downsamp_modules.",
    "final_layer.",
    *("_conv_head.", "_bn1.", "_fc."),
)
"""What ImageNet files hold beyond the encoder."""

# The parts of an inverted residual in timm -> their place in MIT's nn.Sequential, without and with expansion.
_PLAIN_BLOCK = {"conv_dw": 0, "bn1": 1, "conv_pw": 3, "bn2": 4}
_EXPANDED_BLOCK = {"conv_pw": 0, "bn1": 1, "conv_dw": 3, "bn2": 4, "conv_pwl": 6, "bn3": 7}

# The same in EfficientNet-PyTorch, whose norms count from the expansion that a block may lack.
_EFFICIENTNET_PLAIN = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_EFFICIENTNET_EXPANDED = {
    **{"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"},
    **{"conv_pwl": "_project_conv", "bn3": "_bn2"},
}
_EFFICIENTNET_STEM = {"conv_stem": "_conv_stem", "bn1": "_bn0"}
_BLOCK = re.compile(r"blocks\.(\d+)\.(\d+)\.(\w+)")

# How many blocks the stages of MobileNetV2 have: timm counts them stage by stage.
_MOBILENET_STAGES = (1, 2, 3, 4, 3, 3, 1)

# The three convolutions of MIT's stem are one nn.Sequential in timm, without the last norm.
_DEEP_STEM = {
    "conv1.0": "conv1",
    "conv1.1": "bn1",
    "conv1.3": "conv2",
    "conv1.4": "bn2",
    "conv1.6": "conv3",
    "bn1": "bn3",
}

# Modules of our decoders -> theirs, in the order in which they are tried; what follows stays as it is.
_AUXILIARY = [(r"auxiliary\.block", "cbr_deepsup"), (r"auxiliary\.classify", "conv_last_deepsup")]
_UPERNET = [
    (r"decoder\.pyramid", "ppm_conv"),
    (r"decoder\.top", "ppm_last_conv"),
    (r"decoder\.laterals", "fpn_in"),
    (r"decoder\.outputs\.(\d)", r"fpn_out.\1.0"),
    (r"decoder\.block", "conv_last.0"),
    (r"decoder\.classify", "conv_last.1"),
]
_DECODERS = {
    "c1": [(r"decoder\.block", "cbr"), (r"decoder\.classify", "conv_last"), *_AUXILIARY],
    "ppm": [
        # Their place 0 is the pooling.
        (r"decoder\.pyramid\.(\d)\.0", r"ppm.\1.1"),
        (r"decoder\.pyramid\.(\d)\.1", r"ppm.\1.2"),
        (r"decoder\.block", "conv_last"),
        (r"decoder\.classify", "conv_last.4"),
        *_AUXILIARY,
    ],
    "upernet": _UPERNET,
    "upernet_lite": _UPERNET,
}


def encoder_keys(keys: Iterable[str], layout: str) -> dict[str, str]:
    """Return {key of our encoder: key in an encoder file} for one of `ENCODER_LAYOUTS`."""
    keys = list(keys)
    # Keys of plain timm networks begin with `body.`, so that a `stem.` in front is MobileNetV2's alone.
    rename: Callable[[str], str] = _body
    if layout == "efficientnet_pytorch":
        rename = _efficientnet(keys)
    elif any(key.startswith("stem.") for key in keys):
        rename = _timm_mobilenet if layout == "timm" else _mit_mobilenet
    elif layout == "mit" and any(key.startswith("body.conv1.6.") for key in keys):
        rename = _deep_stem
    # Where timm's norm contains an activation, the norm that took its place is called `norm` inside.
    theirs = {key: rename(re.sub(r"\b(bn\d?|stem\.1)\.norm\.", r"\1.", key)) for key in keys}
    if layout == "2018":
        return {key: re.sub(r"\bbn(\d)\.", r"sn\1.", name) for key, name in theirs.items()}
    return theirs


def decoder_keys(keys: Iterable[str], decoder: str) -> dict[str, str]:
    """Return {our key: key in a decoder file}, the same in 2018 and at MIT; `decoder` is a key of `DECODERS`.

    Raises:
        UserError: the decoder, or an auxiliary head beside it, did not exist in 2018 or at MIT.
    """
    return {key: _decoder_key(key, decoder) for key in keys}


def _body(key: str) -> str:
    # timm's `features_only` form joins the names of two levels: stages_0 is stages.0 in a file.
    return re.sub(r"^([a-z]+)_(\d+)\.", r"\1.\2.", key.removeprefix("body."))


def _deep_stem(key: str) -> str:
    module, leaf = _body(key).rsplit(".", 1)
    return f"{_DEEP_STEM.get(module, module)}.{leaf}"


def _mit_mobilenet(key: str) -> str:
    if key.startswith("stem."):
        return key.replace("stem.", "features.0.", 1)
    _, index, part, leaf = key.split(".")
    places = _PLAIN_BLOCK if index == "0" else _EXPANDED_BLOCK
    return f"features.{int(index) + 1}.conv.{places[part]}.{leaf}"


def _timm_mobilenet(key: str) -> str:
    if key.startswith("stem."):
        return key.replace("stem.0.", "conv_stem.", 1).replace("stem.1.", "bn1.", 1)
    _, index, rest = key.split(".", 2)
    stages = [(stage, block) for stage, count in enumerate(_MOBILENET_STAGES) for block in range(count)]
    stage, block = stages[int(index)]
    return f"blocks.{stage}.{block}.{rest}"


def _efficientnet(keys: list[str]) -> Callable[[str], str]:
    """Return what renames the keys of a timm EfficientNet, whose blocks are counted on through its stages there."""
    found = [match.groups() for key in keys if (match := _BLOCK.match(_body(key)))]
    # So a block's number needs the sizes of the stages before it.
    blocks = sorted({(int(stage), int(block)) for stage, block, _ in found})
    expanded = {(int(stage), int(block)) for stage, block, part in found if part == "conv_pwl"}

    def rename(key: str) -> str:
        name = _body(key)
        match = _BLOCK.match(name)
        if match is None:
            module, _, leaf = name.partition(".")
            return f"{_EFFICIENTNET_STEM.get(module, module)}.{leaf}"
        stage, block, part = match.groups()
        place = int(stage), int(block)
        parts = _EFFICIENTNET_EXPANDED if place in expanded else _EFFICIENTNET_PLAIN
        return f"_blocks.{blocks.index(place)}.{parts.get(part, part)}{name[match.end() :]}"

    return rename


def _decoder_key(key: str, decoder: str) -> str:
    for pattern, theirs in _DECODERS.get(decoder, ()):
        # Up to the next point only, or `block` would also match `blocks`.
        renamed, count = re.subn(f"^{pattern}(?=\\.)", theirs, key)
        if count:
            return renamed
    part = "an auxiliary head beside " if key.startswith("auxiliary.") and decoder in _DECODERS else ""
    raise UserError(
        f"the layouts of 2018 and MIT have no place for {part}decoder {decoder!r}; they know {', '.join(_DECODERS)}"
    )
