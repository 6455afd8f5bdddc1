"""WebDataset shards, read at random: an index of where each file lies in its tar replaces streaming and shuffling."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from switchseg import files, system
from switchseg.data.dataset import MissingSplitError, Record, StoredDataset, existing_folder
from switchseg.data.described import meaning_of
from switchseg.data.labels import Meaning
from switchseg.data.records import Lines, read_lines
from switchseg.data.splits import canonical_split, words_for
from switchseg.errors import UserError

IMAGE_SUFFIXES = ("jpg", "jpeg", "webp", "img.png", "image.png")
LABEL_SUFFIXES = ("seg.png", "label.png", "mask.png", "annotation.png")
_EITHER = "png"  # the label beside a JPEG, the image beside one of the label's own suffixes

_INDEX_VERSION = 2
_LARGEST_MEMBER = 1 << 30  # bytes


class WebDataset(StoredDataset):
    """Samples in tar files. What is kept of one are its key and five numbers."""

    def __init__(
        self,
        shards: list[str],
        keys: Lines,
        places: np.ndarray,
        shard_of: np.ndarray,
        meaning: Meaning,
    ) -> None:
        super().__init__("webdataset", meaning)
        self._shards, self._keys, self._places, self._shard_of = shards, keys, places, shard_of
        self._open: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def record(self, index: int) -> Record:
        """Return the bytes of sample `index`."""
        shard = int(self._shard_of[index])
        key, (image, image_size, label, label_size) = self._keys[index], self._places[index].tolist()
        if shard not in self._open:
            self._open[shard] = system.open_bytes(self._shards[shard])
        where = f"{self._shards[shard]}: {key}"
        return Record(
            image=system.read_at(self._open[shard], image_size, image),
            label=system.read_at(self._open[shard], label_size, label) if label_size else None,
            name=self.name_of(index),
            image_name=f"{where} (image)",
            label_name=f"{where} (label)",
        )

    def name_of(self, index: int) -> str:
        """Return the name of sample `index`: its shard and its key."""
        shard = self._shards[int(self._shard_of[index])]
        return f"{Path(shard).stem}__{self._keys[index].replace('/', '__')}"

    def __getstate__(self) -> dict[str, object]:
        # Each process opens the shards for itself; a copy must not close the descriptors of this one.
        return {**self.__dict__, "_open": {}}

    def __del__(self) -> None:
        for descriptor in self.__dict__.get("_open", {}).values():
            os.close(descriptor)


def open_webdataset(root: str | Path, split: str, list_file: str | Path | None = None) -> WebDataset:
    """Open ROOT/SPLIT/*.tar or ROOT/SPLIT-*.tar, or the shards that `list_file` names, one a line.

    A listed shard may lie anywhere, so that a data set can be spread over disks. The index of a shard is kept in
    ~/.cache/switchseg. Classes stand in dataset.yaml (classes.json, classes.txt) in `root`.
    """
    root, split = existing_folder(root), canonical_split(split)
    shards = _listed(root, Path(list_file)) if list_file else _found(root, split)
    meaning = meaning_of(root)
    indices = [_index(shard) for shard in shards]
    keys = Lines.pack(key for names, _ in indices for key in names)
    places = np.concatenate([places for _, places in indices])
    shard_of = np.repeat(np.arange(len(shards), dtype=np.int32), [len(places) for _, places in indices])
    return WebDataset(shards, keys, places, shard_of, meaning)


def _found(root: Path, split: str) -> list[str]:
    for name in words_for(split):
        if shards := sorted([*root.glob(f"{name}/*.tar"), *root.glob(f"{name}-*.tar")]):
            return list(map(str, shards))
    raise MissingSplitError(f"{root}: no {split}/*.tar or {split}-*.tar; name the shards in a --list")


def _listed(root: Path, list_file: Path) -> list[str]:
    lines: list[str] = []
    read_lines(list_file, lines.extend)
    return [os.path.join(root, line.strip()) for line in lines]


def _index(shard: str) -> tuple[list[str], np.ndarray]:
    """Return the keys of a shard and, int64 [n, 4], offset and size of each image and of each label."""
    try:
        status = os.stat(shard)
    except OSError as error:
        raise UserError(f"{shard}: no such shard ({error.strerror})") from None
    # A shard that was written anew has another time or size, so an old index is never taken for its own.
    identity = f"{os.path.realpath(shard)} {status.st_size} {status.st_mtime_ns} {_INDEX_VERSION}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchseg" / "webdataset"
    kept = cache / f"{hashlib.sha256(identity.encode()).hexdigest()}.npz"
    if (index := _kept_index(kept)) is not None:
        return index
    keys, places = _scan(shard, status)
    with contextlib.suppress(OSError), files.replacing(kept) as file:  # where it cannot be kept, it is made again
        np.savez(file, keys=np.array(keys), places=places)
    return keys, places


def _kept_index(path: Path) -> tuple[list[str], np.ndarray] | None:
    """Return what an earlier call kept, or None if there is nothing or it is damaged."""
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            keys, places = stored["keys"].tolist(), stored["places"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return (keys, places) if places.dtype == np.int64 and places.shape == (len(keys), 4) else None


def _scan(shard: str, status: os.stat_result) -> tuple[list[str], np.ndarray]:
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{shard}: not a tar file that can be read (it is no regular file)")
    samples: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        # Compressed, it could not be read at random.
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                stem, _, suffix = file.partition(".")
                if member.isfile() and stem:
                    _check_member(shard, member, status.st_size)
                    place = (member.offset_data, member.size)
                    samples.setdefault(f"{folder}/{stem}".lstrip("/"), {})[suffix.lower()] = place
    except (OSError, EOFError, ValueError, OverflowError, tarfile.TarError) as error:
        raise UserError(f"{shard}: not a tar file that can be read ({' '.join(str(error).split())})") from None
    keys, places = [], []
    for key, found in samples.items():
        image, label = _first(found, IMAGE_SUFFIXES), _first(found, LABEL_SUFFIXES)
        # A lone .png says what it is only by its partner.
        if image is None and label is not None:
            image = found.get(_EITHER)
        elif label is None:
            label = found.get(_EITHER)
        if image is None:
            raise UserError(f"{shard}: {key} has no image (.{', .'.join(IMAGE_SUFFIXES)})")
        keys.append(key)
        places.append((*image, *(label or (0, 0))))
    if not keys:
        raise UserError(f"{shard}: holds no samples")
    return keys, np.array(places, np.int64)


def _check_member(shard: str, member: tarfile.TarInfo, size: int) -> None:
    if not member.name.isprintable():
        raise UserError(f"{shard}: {member.name!r} has a name with a line break or another control character")
    if member.size > _LARGEST_MEMBER:
        raise UserError(f"{shard}: {member.name} has {member.size} bytes; at most {_LARGEST_MEMBER} are read")
    # The header alone would not tell: a file that was cut off lists its last member all the same.
    if member.offset_data + member.size > size:
        raise UserError(f"{shard}: {member.name} is cut off")


def _first(found: dict[str, tuple[int, int]], suffixes: Iterable[str]) -> tuple[int, int] | None:
    return next((found[suffix] for suffix in suffixes if suffix in found), None)
