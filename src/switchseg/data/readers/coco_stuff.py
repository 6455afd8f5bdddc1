"""COCO-Stuff, 171 classes: {images,annotations}/{train2017,val2017}/, *_labelTrainIds.png or the published maps."""

from __future__ import annotations

from pathlib import Path

from switchseg.classes import Classes
from switchseg.data.dataset import MissingSplitError, existing_folder
from switchseg.data.described import built_in
from switchseg.data.file_dataset import FileDataset
from switchseg.data.labels import LabelMap
from switchseg.data.readers.endings import PLAIN, Ending
from switchseg.data.readers.pairs import complete_ending, open_pairs
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError
from switchseg.labels import IGNORED

_THINGS = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, "
    "parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, "
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, "
    "surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, "
    "broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, "
    "mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, "
    "teddy bear, hair drier, toothbrush"
)
_STUFF = (
    "banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, "
    "ceiling-tile, cloth, clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, "
    "floor-marble, floor-other, floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other, "
    "grass, gravel, ground-other, hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, "
    "net, paper, pavement, pillow, plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock, "
    "roof, rug, salad, sand, sea, shelf, sky-other, skyscraper, snow, solid-other, stairs, stone, straw, "
    "structural-other, table, tent, textile-other, towel, tree, vegetable, wall-brick, wall-concrete, wall-other, "
    "wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, window-blind, window-other, wood"
)
# Values of the published maps, 0 .. 181, that no class has: things of COCO that were never annotated.
_UNUSED = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
_VALUES = 182
_TRAIN_IDS = Ending("_labelTrainIds", ".png")

COCO_STUFF = Classes.named(tuple(f"{_THINGS}, {_STUFF}".split(", ")))


def open_coco_stuff(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open {train,val}2017: *_labelTrainIds.png where all were made, else the published maps (0 .. 181)."""
    root, split = existing_folder(root), canonical_split(split)
    if list_file:
        raise UserError(f"{list_file}: coco_stuff takes no list; its splits are train and val")
    images, labels = root / "images" / f"{split}2017", root / "annotations" / f"{split}2017"
    for folder in (images, labels):
        if not folder.is_dir():
            raise MissingSplitError(
                f"{folder}: no such folder; the layout is images/ and annotations/ with {{train,val}}2017"
            )
    # train ids are made by a script of the user's, which may have been stopped half way.
    ending = complete_ending((images, PLAIN), labels, (_TRAIN_IDS, PLAIN))
    meaning = built_in(root, COCO_STUFF, LabelMap.identity if ending == _TRAIN_IDS else _published)
    return open_pairs("coco_stuff", images, labels, meaning, (PLAIN, ending))


def _published(classes: Classes) -> LabelMap:
    # dataset.yaml may list other classes, of which the gaps of the published maps are not known.
    if classes != COCO_STUFF:
        return LabelMap.identity(classes)
    used = [value for value in range(_VALUES) if value not in _UNUSED]
    return LabelMap({IGNORED: IGNORED, **{value: index for index, value in enumerate(used)}})
