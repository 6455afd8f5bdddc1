"""What `switchseg check-data` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from switchseg.data.advice import Advice
from switchseg.data.colour_advice import colours_of
from switchseg.data.findings import Findings
from switchseg.data.labels import Meaning

_MOST_PROBLEMS = 20
_MOST_COLOURS = 40


def print_summary(parts: Mapping[str, Findings], found: Findings, meaning: Meaning, advices: Sequence[Advice]) -> None:
    """Print class shares, colours, problems and advice; `found` is what was found in all parts, the splits."""
    if len(parts) > 1:
        print("splits: " + ", ".join(f"{split} {_images(part)}" for split, part in parts.items()))
    _print_classes(found, meaning)
    _print_colours(found)
    if found.problems:
        print(f"\n{len(found.problems)} of {found.images} samples cannot be trained on:")
        for problem in found.problems[:_MOST_PROBLEMS]:
            print(f"  {problem}")
        if len(found.problems) > _MOST_PROBLEMS:
            print(f"  ... and {len(found.problems) - _MOST_PROBLEMS} more; --html lists them")
    for advice in advices:
        setting = advice.setting.replace("\n", "\n      ")
        print(f"\n{advice.seen}\n  ->  {setting}")
    labelled = found.images - found.unlabelled
    if any(advice.stops for advice in advices):
        print("\nTraining would stop: the labels cannot be trained on as they are read.")
    elif not found.problems:
        print(f"\n{labelled} images and labels: all can be trained on.")


def _images(part: Findings) -> str:
    if part.unlabelled == part.images:
        return f"{part.images} images without labels"
    return f"{part.images} images"


def _print_classes(found: Findings, meaning: Meaning) -> None:
    pixels, images = found.class_pixels(meaning), found.class_images(meaning)
    width = max(map(len, meaning.classes.names))
    print(f"{'class':>5}  {'name':<{width}}  {'pixels':>8}  {'images':>8}")
    for index, name in enumerate(meaning.classes.names):
        # Of 150 classes a small data set has a few; the page lists those that never occur.
        if pixels[index]:
            print(f"{index:>5}  {name:<{width}}  {pixels[index] / pixels.sum():>8.2%}  {images[index]:>8}")


def _print_colours(found: Findings) -> None:
    if not found.colours:
        return
    print(f"\n{len(found.colours)} colours:")
    for code, count in found.colours.most_common(_MOST_COLOURS):
        colour = str(list(colours_of([code])[0]))
        print(f"  {colour:<15}  {count / found.colours.total():>8.2%}  {found.images_with_colour[code]:>8} images")
    if len(found.colours) > _MOST_COLOURS:
        print(f"  ... and {len(found.colours) - _MOST_COLOURS} more")
