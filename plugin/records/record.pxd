# C types for record.py, for Cython; the Python source runs with and without them.
cimport cython

cdef class Record:
    cdef public object prepared
    cdef public str source
    cdef public long long time_nano
    cdef public bytes line
    cdef public long long offset, end, resume
    cdef public str part_id
    cdef public int part_ordinal
    cdef public bint part_last
    cdef public dict fields
    cdef public int severity

@cython.locals(record=Record)
cpdef Record whole_line(object prepared, str source, long long time_nano, bytes line, long long offset, long long end, long long resume)
