# C types for sample.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef unsigned long long _MASK, _GOLDEN, _FIRST, _SECOND

cpdef unsigned long long mixed(unsigned long long number)

@cython.final
cdef class Sample:
    cdef object _below
    cdef unsigned long long _seed
    cdef int _always_from

    cpdef object shape(self, Record record)
