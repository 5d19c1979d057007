# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cdef long long _LATEST

@cython.locals(record=Record, groups=dict, group=list)
cpdef dict records_by_tag(records)

@cython.locals(
    record=Record, parts=list, headers=list, source=str, time_start=bytes, time=bytes, nanos=bytes, fields=bytes, whole=bytes,
    line=bytes, length=Py_ssize_t, short=Py_ssize_t, end=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef tuple encode_entries(records, Py_ssize_t start, Py_ssize_t room, bint precise)

cdef bytes _part_start(Record record)

cdef bytes _start_with_more(Record record)
