# C types for fields.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class EditFields:
    cdef dict _add
    cdef object _drop
    cdef tuple _rename

    @cython.locals(fields=dict)
    cpdef object shape(self, Record record)
