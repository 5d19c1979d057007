# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

cpdef bytes field(str name, bytes value)

@cython.locals(
    record=Record, digits=list, entries=list, fields=bytes, record_id=bytes, stamp=bytes, offset=bytes, line=bytes,
    level=int, nanos=Py_ssize_t, time_nano=cython.longlong, second=cython.longlong,
)
cpdef list encode_entries(records)

cdef bytes _more(Record record)
