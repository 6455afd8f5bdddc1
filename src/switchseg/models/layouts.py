"""Where the 2018 code and the MIT framework keep the tensors that our encoders have: pure functions on keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from switchseg.errors import UserError

# The parts of an inverted residual in timm -> their place in MIT's nn.Sequential, without and with expansion.
_PLAIN_BLOCK = {"conv_dw": 0, "bn1": 1, "conv_pw": 3, "bn2": 4}
_EXPANDED_BLOCK = {"conv_pw": 0, "bn1": 1, "conv_dw": 3, "bn2": 4, "conv_pwl": 6, "bn3": 7}

# The three convolutions of MIT's stem are one nn.Sequential in timm, without the last norm.
_DEEP_STEM = {
    "conv1.0": "conv1",
    "conv1.1": "bn1",
    "conv1.3": "conv2",
    "conv1.4": "bn2",
    "conv1.6": "conv3",
    "bn1": "bn3",
}


def encoder_keys(keys: Iterable[str], layout: str) -> dict[str, str]:
    """Return {key of our encoder: key in an encoder file} for the layouts `2018` and `mit`."""
    keys = list(keys)
    rename: Callable[[str], str]
    if any(key.startswith("stem.") for key in keys):
        rename = _mobilenet
    elif any(key.startswith("body.conv1.6.") for key in keys):
        rename = _deep_stem
    else:
        rename = _body
    theirs = {key: rename(key) for key in keys}
    if layout == "2018":
        return {key: re.sub(r"\bbn(\d)\.", r"sn\1.", name) for key, name in theirs.items()}
    return theirs


def _body(key: str) -> str:
    return key.removeprefix("body.")


def _deep_stem(key: str) -> str:
    module, leaf = _body(key).rsplit(".", 1)
    return f"{_DEEP_STEM.get(module, module)}.{leaf}"


def _mobilenet(key: str) -> str:
    if key.startswith("stem."):
        return key.replace("stem.", "features.0.", 1)
    _, index, part, leaf = key.split(".")
    places = _PLAIN_BLOCK if index == "0" else _EXPANDED_BLOCK
    return f"features.{int(index) + 1}.conv.{places[part]}.{leaf}"


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
        (r"decoder\.pyramid\.(\d)\.0", r"ppm.\1.1"),  # their place 0 is the pooling
        (r"decoder\.pyramid\.(\d)\.1", r"ppm.\1.2"),
        (r"decoder\.block", "conv_last"),
        (r"decoder\.classify", "conv_last.4"),
        *_AUXILIARY,
    ],
    "upernet": _UPERNET,
    "upernet_lite": _UPERNET,
}


def decoder_keys(keys: Iterable[str], decoder: str) -> dict[str, str]:
    """Return {our key: key in a decoder file}, the same in both layouts; `decoder` is a key of `DECODERS`.

    Raises:
        UserError: the decoder, or an auxiliary head beside it, did not exist in 2018 or at MIT.
    """
    return {key: _decoder_key(key, decoder) for key in keys}


def _decoder_key(key: str, decoder: str) -> str:
    for pattern, theirs in _DECODERS.get(decoder, ()):
        renamed, count = re.subn(f"^{pattern}(?=\\.)", theirs, key)
        if count:
            return renamed
    part = "an auxiliary head beside it" if key.startswith("auxiliary.") and decoder in _DECODERS else "it"
    raise UserError(
        f"decoder {decoder!r}: the layouts of 2018 and MIT have no place for {part} ({', '.join(_DECODERS)})"
    )
