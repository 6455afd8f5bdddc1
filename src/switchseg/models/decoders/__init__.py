"""The decoders by name; each is built as `DECODERS[name](maps, num_classes, norm)`."""

from switchseg.models.blocks import Decoder
from switchseg.models.decoders.aspp import ASPP
from switchseg.models.decoders.c1 import C1
from switchseg.models.decoders.deeplabv3plus import DeepLabV3Plus
from switchseg.models.decoders.linear import Linear
from switchseg.models.decoders.ppm import PPM
from switchseg.models.decoders.segformer import SegFormer
from switchseg.models.decoders.unet import UNet
from switchseg.models.decoders.upernet import UPerNet, UPerNetLite

DECODERS: dict[str, type[Decoder]] = {
    "c1": C1,
    "ppm": PPM,
    "upernet_lite": UPerNetLite,
    "upernet": UPerNet,
    "aspp": ASPP,
    "deeplabv3plus": DeepLabV3Plus,
    "segformer": SegFormer,
    "unet": UNet,
    "linear": Linear,
}
