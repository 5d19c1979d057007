# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, streams=dict, lines=list, events=list, line=bytes, number=Py_ssize_t, size=Py_ssize_t,
    milliseconds=cython.longlong,
)
cpdef bytes encode_batch(records)
