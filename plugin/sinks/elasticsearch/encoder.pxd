# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef class PreparedDocuments:
    cdef public bytes before
    cdef public dict after, unfinished

@cython.locals(
    record=Record, prepared=PreparedDocuments, parts=list, lines=list, digits=list, last_digits=list, source=str,
    before=bytes, begin=bytes, after=bytes, after_line=bytes, offset=bytes, number=Py_ssize_t, nanos=Py_ssize_t,
    time_nano=cython.longlong, second=cython.longlong,
)
cpdef bytes encode_bulk(records)

@cython.locals(parts=list)
cdef bytes _with_more(Record record)
