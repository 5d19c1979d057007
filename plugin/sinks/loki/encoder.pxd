# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef long long _SECOND, _NO_SECOND
cdef Py_ssize_t _LOW, _LARGEST_OVERHEAD

@cython.locals(
    record=Record, streams=dict, parts=list, source=str, metadata=bytes, more_metadata=bytes, line=bytes, field=bytes, stamps=list,
    stamp=bytes, middle=bytes, end=bytes, blank_starts=bytes, field_2=list, varints=list, more=list, wanted=bint,
    room=Py_ssize_t, size=Py_ssize_t, high=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong,
    second=cython.longlong,
)
cpdef list encode_streams(records, Py_ssize_t longest)

@cython.locals(stamp=bytes)
cdef bytes _entry(long long second, Py_ssize_t nanos, bytes line, bytes metadata)

@cython.locals(content=bytes)
cdef list _stamps(long long second)
