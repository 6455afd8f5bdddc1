"""The two-file checkpoints of 2018 and of MIT <-> our models: functions from dict to dict, apart from any file.

Both code bases save encoder and decoder apart. In 2018 all norms are Switchable Normalizations called `sn1` ...,
with parameters (1, C, 1, 1) and statistics (1, C, 1); at MIT they are BatchNorms called `bn1` ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from switchseg.errors import UserError
from switchseg.models.create import parse_norm
from switchseg.models.decoders import parse_decoder
from switchseg.models.layouts import decoder_keys, encoder_keys
from switchseg.models.weights import translate
from switchseg.norms import KINDS, MIXING, Kind, to_2018

State = Mapping[str, Tensor]

# What MIT's synchronized BatchNorm keeps for its own bookkeeping.
_BOOKKEEPING = ("_tmp_running_mean", "_tmp_running_var", "_running_iter")


@dataclass(frozen=True)
class Layout:
    """What the keys of a pair of files say about them."""

    name: str
    """`2018` or `mit`."""
    norm: str
    """The norm of the network, by its name among the kinds."""
    deep_stem: bool
    """Whether a ResNet begins with three 3x3 convolutions, as MIT's do, rather than with one of 7x7."""

    @property
    def preprocessing(self) -> str:
        """The input that the code base trained with: BGR 0 .. 255 in 2018, RGB with ImageNet statistics at MIT."""
        return "bgr" if self.name == "2018" else "rgb"

    def encoder_name(self, arch: str) -> str:
        """Return our name of the encoder that a code base calls `arch`: both call different networks `resnet50`."""
        # MIT writes resnet50dilated, 2018 resnet50_dilated8; the stem, not the name, tells their networks apart.
        match = re.fullmatch(r"resnet(18|34|50|101|152)s?(?:_dilated(8|16)|(dilated))?", arch)
        if not match:
            return arch
        depth, stride, dilated = match.groups()
        suffix = f"_dilated{stride or 8}" if stride or dilated else ""
        return f"resnet{depth}{'s' if self.deep_stem else ''}{suffix}"


def recognise(encoder: State, decoder: State) -> Layout:
    """Tell from the keys which code base saved a pair of files.

    Raises:
        UserError: neither did, or each saved one of them.
    """
    kind, other = _kind(encoder, "encoder"), _kind(decoder, "decoder")
    if other != kind:
        raise UserError(f"the encoder file has {kind.name} norms and the decoder file {other.name}; take a pair")
    # Only a stem of three convolutions has a `conv3` outside of its stages.
    return Layout(str(kind.layout), kind.name, "conv3.weight" in encoder)


def _kind(state: State, part: str) -> Kind:
    # The length of the mixing weights says which statistics are mixed; 0 where there are none, thus BatchNorms.
    mixes = next((tensor.numel() for key, tensor in state.items() if key.endswith(f".{MIXING[0]}")), 0)
    kind = next((kind for kind in KINDS.values() if kind.layout and kind.mixes == mixes), None)
    # A file without any norm mixes nothing either, and must not pass for one with BatchNorms.
    if kind is not None and (mixes or any(key.endswith(".running_mean") for key in state)):
        return kind
    raise UserError(
        f"the {part} file has neither the Switchable Normalizations of 2018 nor MIT's BatchNorms; its keys begin with "
        f"{', '.join(list(state)[:3])}"
    )


def legacy_keys(model_keys: State, decoder: str, layout: str) -> dict[str, dict[str, str]]:
    """Return {our key: their key} for the `encoder` and for the `decoder` file of a model's state dict."""
    encoder = [key.removeprefix("encoder.") for key in model_keys if key.startswith("encoder.")]
    rest = [key for key in model_keys if not key.startswith("encoder.")]
    return {
        "encoder": {f"encoder.{ours}": theirs for ours, theirs in encoder_keys(encoder, layout).items()},
        "decoder": decoder_keys(rest, parse_decoder(decoder)[0]),
    }


def import_states(
    encoder: State, decoder: State, wanted: State, decoder_name: str, layout: Layout, sources: tuple[str, str]
) -> tuple[dict[str, Tensor], list[str]]:
    """Turn a pair of files, called `sources` in messages, into a state dict of the model whose own is `wanted`.

    Returns the state dict, and the keys that were left out because they are bookkeeping and hold no weights.

    Raises:
        UserError: a key is missing or unexpected, or a shape differs.
    """
    result: dict[str, Tensor] = {}
    dropped: list[str] = []
    parts = legacy_keys(wanted, decoder_name, layout.name).values()
    for theirs_of, state, source in zip(parts, (encoder, decoder), sources, strict=True):
        # Taken out first, so that every other key that is left over is an error and no weight gets lost unnoticed.
        weights = {key: tensor for key, tensor in state.items() if not key.endswith(_BOOKKEEPING)}
        dropped += [key for key in state if key not in weights]
        result.update(translate(weights, theirs_of, wanted, source))
    return result, dropped


def export_states(model_state: State, decoder: str, norm: str) -> dict[str, dict[str, Tensor]]:
    """Return the `encoder` and `decoder` state dicts that the 2018 code loads, or MIT's for a model with BatchNorm.

    Raises:
        UserError: the layouts have no place for a part of the model.
    """
    layout = parse_norm(norm).layout
    if layout is None:
        held = {name: [kind.name for kind in KINDS.values() if kind.layout == name] for name in ("2018", "mit")}
        raise UserError(
            f"norm {norm!r}: the 2018 layout holds {', '.join(held['2018'])}, MIT's {', '.join(held['mit'])}"
        )
    result = {}
    for part, theirs_of in legacy_keys(model_state, decoder, layout).items():
        result[part] = {theirs: model_state[ours] for ours, theirs in theirs_of.items()}
        if layout == "2018":
            result[part] = to_2018(result[part])
    return result
