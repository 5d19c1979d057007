# C types for parse.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class Parse:
    cdef object _parsers, _messages, _levels, _times

    @cython.locals(line=bytes, fields=dict)
    cpdef object shape(self, Record record)
