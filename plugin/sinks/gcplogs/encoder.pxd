# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, digits=list, parts=list, lines=list, source=str, before_line=bytes, identity=bytes, stamp=bytes,
    number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef bytes encode_entries(records)

cdef bytes _end_with_more(Record record)

cdef bytes _split(Record record, str time)
