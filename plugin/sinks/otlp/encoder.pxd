# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef Py_ssize_t _MOST_DIGITS, _OVERHEAD

cdef class PreparedLog:
    cdef public bytes resource
    cdef public list uids
    cdef public dict ends

@cython.locals(
    record=Record, prepared=PreparedLog, logs=dict, parts=list, heads=list, bodies=list, strings=list, uids=list,
    source=str, end=bytes, line=bytes, time=bytes, offset=bytes, uid=bytes, string=bytes, body=bytes, head=bytes,
    room=Py_ssize_t, size=Py_ssize_t, time_nano=cython.longlong,
)
cpdef bytes encode_logs(records)

@cython.locals(parts=list)
cdef bytes _record(Record record, bytes line)
