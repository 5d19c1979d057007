"""Compression of request bodies, by the names that options and the header Content-Encoding have for it."""

import zlib
from collections.abc import Callable

import zstandard

_DEFAULT_LEVEL = -1


def compressor(name: str, gzip_level: int = _DEFAULT_LEVEL) -> Callable[[bytes], bytes]:
    """Return the function for ``none``, ``gzip`` or ``zstd``; the level is that of zlib, by default its own."""
    compressors: dict[str, Callable[[bytes], bytes]] = {
        "none": bytes,
        "gzip": lambda content: zlib.compress(content, gzip_level, wbits=31),
        "zstd": _zstd,
    }
    return compressors[name]


def content_encoding(name: str) -> dict[str, str]:
    """Return the header that says how a body is compressed, none where it is not."""
    return {} if name == "none" else {"Content-Encoding": name}


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)
