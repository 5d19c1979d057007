# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(record=Record)
cpdef bytes encode_inline(records)

@cython.locals(record=Record)
cpdef bytes encode_json(records)

@cython.locals(record=Record)
cpdef bytes encode_raw(records)

@cython.locals(
    record=Record, parts=list, digits=list, source=str, after_value=bytes, begin=bytes, after_time=bytes,
    number=Py_ssize_t, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cdef bytes _encode(records, list values, bytes opening, bytes closing, bint is_object)

cdef bytes _json(bytes line)

cdef bint _is_blank(bytes line)
