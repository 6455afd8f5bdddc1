"""The model that a training starts with: random, with a pretrained encoder, or a model that was trained before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from switchseg import norms
from switchseg.checkpoints.model_directory import build, load_model
from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.models.create import create_model, parse_norm
from switchseg.models.decoders import parse_decoder
from switchseg.models.encoders import ALIASES
from switchseg.models.pretrained import DEFAULT_INIT
from switchseg.models.segmenter import Segmenter
from switchseg.models.weights import load_exactly
from switchseg.preprocessing import PREPROCESSINGS


def start_model(config: ModelConfig, classes: Classes, say: Callable[[str], None] = print) -> Segmenter:
    """Build the model that `config` describes for `classes`, in training mode.

    `say` is told, one line each, what was changed in a model that `config.pretrained` names by its directory.

    Raises:
        UserError: a name is unknown, or what `config.pretrained` names is another model.
    """
    # A folder by that name comes first; everything else that `pretrained` may name is weights of an encoder.
    if config.pretrained is not None and Path(config.pretrained).is_dir():
        return _continue(config, classes, say)
    return create_model(
        config.encoder,
        config.decoder,
        config.norm,
        pretrained=config.pretrained,
        classes=classes,
        preprocessing=PREPROCESSINGS[config.preprocessing] if config.preprocessing else None,
        auxiliary=config.auxiliary,
        norm_init=config.norm_init,
    )


def _continue(config: ModelConfig, classes: Classes, say: Callable[[str], None]) -> Segmenter:
    """Load the model directory `config.pretrained` and change its norms, auxiliary head and classes as asked."""
    source = str(config.pretrained)
    model = load_model(source)
    _count_anew(model)
    # Norms and auxiliary head before the classes: resetting the last layers covers those of the new head too.
    _check_architecture(config, model, source)
    model = _with_norm(model, config, source, say)
    _set_auxiliary(model, config, say)
    if config.reset_head or len(model.spec.classes) != len(classes):
        if not config.reset_head:
            raise UserError(
                f"{source}: has {len(model.spec.classes)} classes, the data set {len(classes)}; "
                "pass --model.reset-head to begin its last layers anew"
            )
        say(f"{source}: the last layers begin at random, for {len(classes)} classes; all other weights are taken over")
        model.reset_head(classes)
    else:
        _check_names(model.spec.classes, classes, source, say)
    model.spec = dataclasses.replace(
        model.spec, encoder=config.encoder, decoder=config.decoder, norm=config.norm, classes=classes
    )
    return model.train()


def _count_anew(model: Segmenter) -> None:
    """Let the running statistics of a SwitchNorm become those of the coming training, its first batches evenly."""
    # At its momentum those of the last one would fade more slowly than most fine-tunings are long.
    for module in model.modules():
        if isinstance(module, norms.SwitchNorm) and module.num_batches_tracked is not None:
            module.num_batches_tracked.zero_()


def _check_names(model: Classes, data: Classes, source: str, say: Callable[[str], None]) -> None:
    """Refuse classes that the last layers know by another number; tell of names that are new."""
    if name := model.displaced_in(data):
        raise UserError(
            f"{source}: its class {name!r} has another number in the data set; list the classes in the model's order "
            f"({', '.join(model.names[:3])}, ...), or pass --model.reset-head to begin its last layers anew"
        )
    for index, (old, new) in enumerate(zip(model.names, data.names, strict=True)):
        if old.casefold() != new.casefold():
            say(f"{source}: its classes get other names, from class {index} on ({old!r} becomes {new!r})")
            return


def _check_architecture(config: ModelConfig, model: Segmenter, source: str) -> None:
    spec = model.spec
    # One network may have several names, and which one was written into the model is no difference.
    same_encoder = ALIASES.get(config.encoder, config.encoder) == ALIASES.get(spec.encoder, spec.encoder)
    if not same_encoder or parse_decoder(config.decoder)[0] != parse_decoder(spec.decoder)[0]:
        raise UserError(
            f"{source}: is {spec.encoder} + {spec.decoder}, but the config asks for {config.encoder} + {config.decoder}"
        )
    if config.preprocessing and spec.preprocessing != PREPROCESSINGS[config.preprocessing]:
        wanted = next((name for name, known in PREPROCESSINGS.items() if known == spec.preprocessing), "its own")
        raise UserError(f"{source}: was trained on {wanted} input, but model.preprocessing is {config.preprocessing}")


def _with_norm(model: Segmenter, config: ModelConfig, source: str, say: Callable[[str], None]) -> Segmenter:
    old, norm, begin = model.spec.norm, config.norm, "with the same output"
    if old == norm:
        return model
    was, wanted = parse_norm(old), parse_norm(norm)
    # A mixture can begin as the BatchNorm that it replaces, by its weights; the other way its mixture would be lost.
    if was.is_batch_norm and wanted.like_batch_norm and not wanted.is_batch_norm:
        init = DEFAULT_INIT if config.norm_init is None else config.norm_init
        norms.convert_norms(model, norm, init=init, batch_norms_only=True)
        if init != "bn":
            begin = f"at model.norm_init {init}"
    # Kinds of one family have the same tensors, and differ in how they compute from them.
    elif was.family == wanted.family:
        state = model.state_dict()
        model = build(dataclasses.replace(model.spec, norm=norm), source)
        load_exactly(model, state, source)
    else:
        raise UserError(f"{source}: its {old} norms cannot become {norm}; take model.norm {old}")
    say(f"{source}: its {old} norms are now {norm} and begin {begin}")
    return model


def _set_auxiliary(model: Segmenter, config: ModelConfig, say: Callable[[str], None]) -> None:
    wanted = parse_decoder(config.decoder)[1] if config.auxiliary is None else config.auxiliary
    if wanted == model.spec.auxiliary:
        return
    # Dropped where it is not wanted: its weights would be stored and its loss added without being asked for.
    model.auxiliary = None
    if wanted:
        fresh = create_model(config.encoder, config.decoder, config.norm, classes=model.spec.classes, auxiliary=True)
        model.auxiliary = fresh.auxiliary
    say(f"{config.pretrained}: {'the new auxiliary head begins at random' if wanted else 'no auxiliary head any more'}")
    model.spec = dataclasses.replace(model.spec, auxiliary=wanted)
