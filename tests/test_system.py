import ctypes
import errno
import io
import os
import subprocess
import sys

import pytest

from switchseg import system


def test_a_held_file_is_refused_to_another_process(tmp_path):
    path = tmp_path / "lock"
    code = "import sys; from switchseg import system; system.hold(open(sys.argv[1], 'w'))"
    with path.open("w") as file:
        system.hold(file)
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "BlockingIOError" in done.stderr
    subprocess.run([sys.executable, "-c", code, path], check=True)


def test_reading_leaves_no_position_behind(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(b"0123456789\r\n")
    descriptor = system.open_bytes(path)
    try:
        assert system.read_at(descriptor, 3, 4) == b"456"
        assert system.read_at(descriptor, 9, 8) == b"89\r\n"
        assert os.read(descriptor, 1) == b"0"
    finally:
        os.close(descriptor)


def test_a_pipe_that_nobody_writes_to_is_opened_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.close(system.open_at_once(str(tmp_path / "pipe"), os.O_RDONLY))


def test_a_folder_is_synced_or_named(tmp_path):
    system.sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        system.sync_folder(tmp_path / "absent")


def test_what_knows_no_sync_is_left_alone_and_what_fails_is_told(tmp_path, monkeypatch):
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer):
        with pytest.raises(OSError, match="Invalid argument"):
            os.fsync(writer)
        system.sync(writer)

    def broken(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        system.sync_folder(tmp_path)


def test_a_pipe_is_unread_once_its_reader_is_gone():
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        assert not system.is_unread(stream)
        os.close(reader)
        assert system.is_unread(stream)
    assert not system.is_unread(io.StringIO())


def test_the_peak_is_forgotten_and_never_less_than_what_is_held():
    assert system.free_memory() > 0
    held = bytearray(64 << 20)
    assert system.peak_memory() >= system.resident_memory() >= len(held)


@pytest.mark.parametrize(("layout", "size"), [("IIQQQQQQQ", 64), ("IINNNNNNNN", 72)])
def test_structs_for_windows_tell_their_size_and_have_its_layout(layout, size):
    """Of 64 bits, as Windows documents them; Windows itself could not be asked."""

    def ask(answer, told):
        own = ctypes.create_string_buffer(size)
        ctypes.memmove(own, answer, size)
        assert int.from_bytes(own.raw[:4], sys.byteorder) == told == size
        ctypes.memmove(answer, bytes(range(size)), size)

    expected = [(0, 4), (4, 8), (8, 16), (16, 24)]
    fields = system._filled_in(layout, ask)
    assert fields[:4] == [int.from_bytes(bytes(range(*ends)), sys.byteorder) for ends in expected]
