"""The classes of the generated scenes, in label order."""

from switchseg.classes import Classes

_COLOURS = {
    "sky": (110, 180, 235),
    "building": (150, 95, 85),
    "road": (95, 95, 105),
    "sidewalk": (205, 180, 190),
    "grass": (130, 200, 90),
    "tree": (35, 120, 60),
    "car": (30, 60, 200),
    "person": (225, 40, 70),
    "pole": (245, 210, 50),
    "wall": (225, 215, 195),
    "floor": (165, 120, 75),
    "ceiling": (245, 245, 245),
    "window": (120, 220, 220),
    "door": (120, 70, 30),
    "sofa": (150, 70, 180),
    "table": (240, 140, 40),
    "picture": (250, 120, 190),
}

SCENE_CLASSES = Classes(tuple(_COLOURS), tuple(_COLOURS.values()))

SKY, BUILDING, ROAD, SIDEWALK, GRASS, TREE, CAR, PERSON, POLE = range(9)
WALL, FLOOR, CEILING, WINDOW, DOOR, SOFA, TABLE, PICTURE = range(9, 17)
