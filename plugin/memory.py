"""What glibc's allocator keeps of the memory that is free. With another C library nothing happens here.

Delivery keeps that of one batch for the next. Otherwise it would go back to the kernel after each, and clearing the
same pages again and again takes the kernel a third of delivery's time.
"""

import ctypes

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT = 64 << 20
_LARGEST_IN_HEAP = 32 << 20

_libc = ctypes.CDLL(None)


def keep_memory() -> None:
    """Keep up to 64 MiB that are free from now on."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_IN_HEAP)


def give_memory_back() -> None:
    """Give back what is free now."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
