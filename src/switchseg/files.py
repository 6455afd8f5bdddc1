"""Files that are written whole or not at all, and read without waiting for a pipe."""

import contextlib
import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from switchseg import system
from switchseg.errors import UserError

# Suffixes of which users and programs know what is in the file.
_TELLING = (
    *(".csv", ".htm", ".html", ".json", ".jsonl", ".md", ".odgt", ".py", ".tsv", ".txt", ".xml", ".yaml", ".yml"),
    *(".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".mp4", ".pdf", ".png", ".svg", ".tif", ".tiff", ".webp"),
    *(".gz", ".npy", ".npz", ".onnx", ".pkl", ".pt", ".pt2", ".pth", ".safetensors", ".xlsx", ".zip"),
)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary binary file beside `path`; on success it takes that name, on failure nothing is left behind.

    The data reaches the disk before the name does, so after a crash the path holds the old content or the new,
    never a part of either. Where `path` is a link, the file takes the place of the link, not of what that leads to.

    Raises:
        OSError: the folder cannot be written to or the disk is full; it names `path`, which is then as it was.
        UserError: `path` is a device or a pipe.
    """
    with replacing_path(path) as temporary, temporary.open("wb") as file:
        yield file


@contextlib.contextmanager
def replacing_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of an empty temporary file, for writers that open files themselves; see `replacing`."""
    path = Path(path)
    _refuse_special(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The name says nothing, so that it is never longer than names can be.
        # Beside the target, since a file can be renamed in one step within a file system only.
        temporary = path.parent / f".{secrets.token_hex(8)}.part"
        # Not by tempfile, whose files are private: the permissions are those of any new file.
        # Closed now, because on Windows a file that is open cannot be renamed or opened again by a writer.
        temporary.open("xb").close()
        try:
            yield temporary
            # Opened anew: whoever wrote it may have closed it already, and fsync is for all data of the file.
            with open(temporary, "rb") as file:
                system.sync(file.fileno())
            os.replace(temporary, path)
        # KeyboardInterrupt too: half a file must not stay behind Ctrl-C.
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        # The new name is an entry of the folder, and reaches the disk with that, not with the file.
        system.sync_folder(path.parent)


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the operating system name `path`: a full disk names nothing, a file being replaced another name."""
    try:
        yield
    except OSError as error:
        # Errors of other files keep their names, and subclasses of other packages keep what else they carry.
        ours = error.filename is None or str(error.filename).endswith(".part")
        if error.errno is None or not ours or type(error).__module__ != "builtins":
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def check_places(files: Iterable[Path | None] = (), folders: Iterable[Path | None] = ()) -> None:
    """Raise a UserError unless these files and folders can be written; to be called before the work, not after it.

    Nothing is made, and None stands for something that is not to be written.
    """
    seen: set[str] = set()
    for path in files:
        if path is None:
            continue
        if path.is_dir():
            raise UserError(f"{path}: is a folder; the name of a file to write was expected")
        _refuse_special(path)
        # Real paths, so that a link and its target, or a.json and ./a.json, count as one.
        if os.path.realpath(path) in seen:
            raise UserError(f"{path}: two results cannot be written to one file")
        seen.add(os.path.realpath(path))
        _check_folder(path.parent, path)
    for path in folders:
        if path is not None:
            _check_folder(path, path)


def check_suffix(path: Path | None, *suffixes: str, choosing: bool = False) -> None:
    """Raise a UserError if the name of a file to write says that it is of another kind than it will be.

    It would hardly be opened, and what a slip like `--out RUN/config.yaml` names would be lost. A name that says
    nothing, without a suffix or with one that is not known, is left to the user.

    Args:
        path: The file; None is not to be written.
        suffixes: What names of its kind end in, small letters after a dot.
        choosing: Whether the suffix chooses the kind, so that it must be one of these.
    """
    if path is None or (suffix := path.suffix.lower()) in suffixes:
        return
    if choosing or suffix in _TELLING:
        raise UserError(f"{path}: the name of a file to write was expected that ends in {' or '.join(suffixes)}")


def _refuse_special(path: Path) -> None:
    """Raise a UserError if `path` is a device or a pipe, or a link in /dev: the new file would take its place."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # it is not there, or what writes says why it cannot
    is_plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    if not is_plain or (path.is_symlink() and path.absolute().parent == Path("/dev")):
        raise UserError(f"{path}: is a device or a pipe; the name of a file to write was expected")


def _check_folder(folder: Path, path: Path) -> None:
    """Check that files can be made in `folder`, or in the nearest folder above it that is there."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"{path}: cannot be written, for {folder} is no folder")
    try:
        # Tried instead of asked: `os.access` may say yes where a network file system says no.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file for reading, unless it is a pipe or a device, which may never end.

    Raises:
        OSError: there is no such file, or it cannot be read.
        UserError: it is no regular file; the line does not name it.
    """
    # The check comes after opening, on the open file: a path could be replaced by a pipe in between.
    file = open(path, "rb", opener=system.open_at_once)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UserError("cannot be read (it is no regular file)")
    return file


def digest(path: str | os.PathLike[str]) -> str | None:
    """Return a hash of a file's content; None if it is no file that can be read."""
    result = hashlib.blake2b(digest_size=16)
    try:
        with open_regular(path) as file:
            # In blocks: videos and rasters may be larger than memory.
            while block := file.read(2**20):
                result.update(block)
    except (OSError, UserError):
        return None
    return result.hexdigest()
