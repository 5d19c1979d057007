# C types for pipeline.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class Pipeline:
    cdef public object position
    cdef tuple _stages
    cdef list _holders
    cdef object _decoded, _before, _rebuilds, _counted

    @cython.locals(
        shaped=list, record=Record, early=Record, last=Record, end=cython.longlong, resume=cython.longlong,
    )
    cpdef list feed(self, object records)

    cdef object _feed_one(self, Record record)
