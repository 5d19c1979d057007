"""Bounding what the clients of others read at once: a peer may announce gigabytes, and they would collect them."""

import asyncio


def bound(reader: asyncio.StreamReader, most: int) -> asyncio.StreamReader:
    """Have a reader fail with ``ConnectionError`` where more than ``most`` bytes are to be read in one piece."""
    read_exactly = reader.readexactly

    async def bounded(n: int) -> bytes:
        if not 0 <= n <= most:
            raise ConnectionError(f"the peer announces {n} bytes in one piece, at most {most} are read")
        return await read_exactly(n)

    reader.readexactly = bounded  # type: ignore[method-assign]
    return reader
