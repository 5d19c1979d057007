# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, values=list, lines=list, digits=list, last_digits=list, source=str, begin=bytes, after_line=bytes,
    number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef list encode_objects(records)

@cython.locals(record=Record, first=Record, end=Py_ssize_t)
cpdef Py_ssize_t end_of_run(records, Py_ssize_t start)

cpdef bytes more_of(Record record)
