# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef Py_ssize_t _PIECES

cpdef bytes encode_stream(records)

@cython.locals(pieces=list, start=Py_ssize_t)
cpdef list encode_each(records)

@cython.locals(
    record=Record, pieces=list, lines=list, digits=list, source=str, line=bytes, start=bytes, before_fraction=bytes,
    end=bytes, number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cdef list _pieces(records)

cdef bytes _end_with_more(Record record)
