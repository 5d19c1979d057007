"""Control how much free memory glibc's allocator keeps. With another C library these functions do nothing.

Delivery keeps the memory of one batch for the next. Otherwise it would return to the kernel after each batch, and
clearing the same pages again and again takes a third of delivery's time.
"""

import ctypes

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_KEPT = 64 << 20
_LARGEST_IN_HEAP = 32 << 20
_ARENAS = 2

_libc = ctypes.CDLL(None)


def share_arenas() -> None:
    """Have all threads allocate from two arenas.

    Else each thread has one of its own, which reserves 64 MiB of address space and keeps what the thread has freed.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, _ARENAS)


def keep_memory() -> None:
    """Keep up to 64 MiB of free memory in the process from now on."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_IN_HEAP)


def give_memory_back() -> None:
    """Return free memory to the kernel now."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
