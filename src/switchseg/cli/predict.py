"""`switchseg predict MODEL IMAGE|DIR|VIDEO... --out DIR`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.cli.inference_flags import ComputeFlags, LabelFlags
from switchseg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class PredictFlags(ComputeFlags, LabelFlags):
    """Label images, folders (at any depth), glob patterns, videos and GeoTIFF rasters of any size.

    Writes NAME_labels.png (pixel value = class index), NAME_overlay.png and NAME_shares.json of every image, and
    legend.png; of a raster NAME_labels.tif with its georeference. A file that cannot be labelled is reported and the
    others go on; the exit code is then 2.
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A model directory, or a run directory."""
    inputs: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="FILE|FOLDER ...")]
    """Images, folders, patterns, videos and rasters."""
    out: Path
    """Folder for the results."""
    submission: bool = False
    """Also write submission/NAME.png with class + 1, as the ADE20K server takes it."""
    resume: bool = True
    """Leave out what an earlier call with the same model and flags has finished."""


def run(arguments: Sequence[str]) -> int:
    """Label everything, then report what could not be."""
    flags = parse(PredictFlags, "predict", arguments)
    if not flags.inputs:
        raise UserError("nothing to label; name images, folders, videos or rasters after the model")
    files.check_places(folders=[flags.out])
    from switchseg.engine.inputs import find_inputs
    from switchseg.engine.predict import predict
    from switchseg.engine.predictor import Predictor, usual_rule
    from switchseg.engine.raster import WINDOW
    from switchseg.engine.seams import Seams

    # A second call on a folder that holds `--out` would else label the overlays of the first.
    inputs = find_inputs(flags.inputs, flags.out)
    rule = flags.resolve(usual_rule(flags.model))
    predictor = Predictor(flags.model, rule=rule, device=flags.device, compute=flags.compute)
    found: list[Seams] = []
    failures = predict(
        predictor, inputs, flags.out, submission=flags.submission, resume=flags.resume, seams=found.append
    )
    for reason in failures.values():
        # At the end, all together: among the progress of thousands of files they would be overlooked.
        print(f"switchseg: error: {reason}", file=sys.stderr)
    print(f"{len(inputs) - len(failures)} of {len(inputs)} files labelled in {flags.out} ({rule.describe()})")
    if any(each.is_raster for each in inputs):
        print(f"GeoTIFF rasters: at their own size, in windows of {rule.window or WINDOW}")
    seams = Seams(*map(sum, zip(*found, strict=True)))
    if seams.along:
        print(f"seams: {seams.describe()}")
    return 2 if failures else 0
