"""The kernels of a layer in Triton, three forward and three backward; `plans` says which are launched.

Forward: `moments` reads the maps; `merge` joins the spans that they were cut into; `apply` reads the maps again.
Backward: `sums`, `merge_sums` and `gradient` likewise. What follows from the moments of all maps (LN's and BN's, the
mixture, running statistics, the gradients of the parameters) is worked out by each program of the last kernel for its
own channels: it is little, and costs less there than a launch of its own. Sums are float32 and their order is fixed.

Layouts: x is [N, C, L] or, channels_last, [N, L, C]. A tile is BLOCK_R channels of one image by BLOCK_L positions; maps
are cut into `spans` spans of a whole number of tiles, so that few maps still fill the device. Tiles are accumulated
position by position, and a span is summed up once at its end: sums across threads inside the loop cost twice the
time of reading. The second kernel over the maps goes through them from the end, where the first one has just been.
"""

from switchseg.norms.operator.kernels.apply import apply
from switchseg.norms.operator.kernels.gradient import gradient
from switchseg.norms.operator.kernels.moments import merge, moments
from switchseg.norms.operator.kernels.sums import merge_sums, sums

__all__ = ["apply", "gradient", "merge", "merge_sums", "moments", "sums"]
