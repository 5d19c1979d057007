# C types for dedupe.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class Dedupe:
    cdef public object released_from, dropped
    cdef object _before, _since
    cdef double _seconds
    cdef long long _held_from, _window
    cdef Py_ssize_t _count
    cdef Record _held

    @cython.locals(held=Record)
    cpdef object feed(self, Record record)

    cdef bint _is_same(self, Record held, Record record) except -1

    @cython.locals(held=Record)
    cdef object _release(self)
