# C types for rate_limit.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class RateLimit:
    cdef public object released_from, dropped
    cdef object _before, _text, _cost, _full, _tokens, _records, _first, _since
    cdef long long _period, _latest, _number
    cdef Py_ssize_t _count
    cdef Record _notice

    @cython.locals(made=list, now=cython.longlong)
    cpdef object feed(self, Record record)

    @cython.locals(notice=Record, count=Py_ssize_t)
    cdef object _end(self)
