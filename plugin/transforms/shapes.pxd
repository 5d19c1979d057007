# C types for shapes.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class Shapes:
    cdef public object dropped
    cdef list _shapes

    cpdef object feed(self, Record record)
