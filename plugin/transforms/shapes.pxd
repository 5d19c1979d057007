# C types for shapes.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class Shapes:
    cdef public object dropped
    cdef list _shapes, _batches

    cpdef object feed(self, Record record)

    cpdef list feed_all(self, list records)

    @cython.locals(number=Py_ssize_t, reasons=dict)
    cdef dict _reasons(self, object shape, list records)
