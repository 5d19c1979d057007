# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, parts=list, headers=list, digits=list, last_digits=list, source=str, begin=bytes, kind=bytes,
    position=str, offset=str, line=bytes, length=Py_ssize_t, short=Py_ssize_t, nanos=Py_ssize_t, count=Py_ssize_t,
    arguments=Py_ssize_t, shaped=bint, time_nano=cython.longlong, second=cython.longlong,
)
cpdef tuple encode_command(object stream, list records, Py_ssize_t start, Py_ssize_t most, Py_ssize_t room)
