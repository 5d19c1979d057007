# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class MessageFormat:
    cdef public bint is_rfc5424
    cdef bint _has_host, _has_micros
    cdef int _facility

    @cython.locals(
        record=Record, messages=list, digits=list, source=str, line=bytes, lead=bytes, start=bytes, before=bytes,
        after=bytes, rest=bytes, millis=bytes, micros=bytes, begin=Py_ssize_t, nanos=Py_ssize_t, severity=int,
        time_nano=cython.longlong, second=cython.longlong,
    )
    cpdef list messages(self, records, bytes newline, bytes nul, Py_ssize_t longest=*)
