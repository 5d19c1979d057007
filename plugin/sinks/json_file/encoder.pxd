# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, files=dict, lines=list, parts=list, digits=list, ends=list, source=str, line=bytes, after=bytes,
    time=bytes, number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef dict encode_lines(records)

cdef bytes _after_with_more(Record record)
