# C types for entry.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef class Entry:
    cdef public object base
    cdef public Record record
    cdef public dict labels, extracted, metadata
    cdef public long long printed

    cpdef object text(self, object name)

    cpdef object input(self, object source)

cpdef str decoded(bytes line)

cpdef bytes encoded(str text)

cpdef bint is_utf8(str text) except -1
