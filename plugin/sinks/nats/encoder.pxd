# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, parts=list, lines=list, chosen=list, digits=list, last_digits=list, source=str, begin=bytes,
    after_line=bytes, line=bytes, count=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong,
    second=cython.longlong,
)
cpdef tuple encode_lines(list records, Py_ssize_t start, Py_ssize_t most, Py_ssize_t room)

@cython.locals(record=Record, numbers=list)
cpdef object places_of(list records, Py_ssize_t start, Py_ssize_t end)
