"""Damaged copies of a file: what disks, editors, half downloads and hostile people make of it."""

from __future__ import annotations

import random

TOKENS = (
    *(b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"[]", b"{}", b'""', b"9" * 25, b"9" * 400, b"0x_", b"1e-4"),
    *(b"../", b"/etc/passwd", b"\xff", b"\x00", b"\xef\xbb\xbf", b"&a [*a]", b"*a", b"!!timestamp x", b"2024-31-12"),
    *(b"[" * 2000, b"\n", b",", b":", b"://", b'{"a":' * 500, b"\xf0\x9f\x98\x80", b"no", b"~"),
)
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Return `content` with one to four damages, each drawn from `rng`."""
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(_DAMAGES)(content, rng)
    return content


def _flip(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 4, 32)) if damaged else 0):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randint(0, len(content))]


def _lose(content: bytes, rng: random.Random) -> bytes:
    start, length = _block(content, rng)
    return content[:start] + content[start + length :]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, length = _block(content, rng)
    end = start + length
    return content[:end] + content[start:end] * rng.choice((1, 2, 50)) + content[end:]


def _blank(content: bytes, rng: random.Random) -> bytes:
    start, length = _block(content, rng)
    return content[:start] + bytes([rng.choice((0, 255, 32))]) * length + content[start + length :]


def _number(content: bytes, rng: random.Random) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    value = (rng.choice(NUMBERS) & (256**size - 1)).to_bytes(size, rng.choice(("little", "big")))
    start = rng.randint(0, len(content))
    return content[:start] + value + content[start + size :]


def _token(content: bytes, rng: random.Random) -> bytes:
    start, length = _block(content, rng)
    return content[:start] + rng.choice(TOKENS) + content[start + rng.choice((0, length)) :]


def _word(content: bytes, rng: random.Random) -> bytes:
    """Replace one word, as whoever edits a text file by hand may."""
    words = content.split(b" ")
    words[rng.randrange(len(words))] = rng.choice(TOKENS)
    return b" ".join(words)


def _block(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(content))
    return start, min(rng.choice((1, 2, 8, 64, 1024)), len(content) - start)


_DAMAGES = (_flip, _flip, _cut, _lose, _repeat, _blank, _number, _token, _word)
