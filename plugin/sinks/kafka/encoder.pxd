# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, values=list, lines=list, digits=list, last_digits=list, source=str, begin=bytes, after_line=bytes,
    number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef list encode_objects(records)

cpdef bytes more_of(Record record)
