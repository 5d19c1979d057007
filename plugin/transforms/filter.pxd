# C types for filter.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record
from plugin.transforms.line_search cimport LineSearch

@cython.final
cdef class Include:
    cdef LineSearch _search

    cpdef object shape(self, Record record)

    @cython.locals(record=Record, found=list)
    cpdef object shape_all(self, list records)

@cython.final
cdef class Exclude:
    cdef LineSearch _search

    cpdef object shape(self, Record record)

    @cython.locals(record=Record)
    cpdef object shape_all(self, list records)

@cython.final
cdef class MinLevel:
    cdef int _severity

    cpdef object shape(self, Record record)
