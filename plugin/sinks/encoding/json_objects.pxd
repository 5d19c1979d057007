# C types for json_objects.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cpdef bytes join_objects(records, bytes opening, bytes separator, bytes closing)

cpdef list encode_objects(records, bytes ending)

@cython.locals(
    record=Record, parts=list, lines=list, digits=list, last_digits=list, source=str, begin=bytes, after_line=bytes,
    end=bytes, number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cdef bytes _join(records, bytes ending, bytes opening, bytes separator, bytes closing)
