# C types for line_objects.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(
    record=Record, digits=list, last_digits=list, objects=list, lines=list, source=str, begin=bytes, after_line=bytes,
    end=bytes, number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef list encode_objects(records, bytes ending)

@cython.locals(ends=list, number=Py_ssize_t, start=Py_ssize_t, size=Py_ssize_t, text=bytes)
cpdef list ends_of_messages(objects, Py_ssize_t most, Py_ssize_t room)
