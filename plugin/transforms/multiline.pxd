# C types for multiline.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class _Event:
    cdef public Record first
    cdef public long long held_from
    cdef public list lines, tentative
    cdef public Py_ssize_t pieces, size
    cdef public tuple state

@cython.final
cdef class Multiline:
    cdef public object dropped, released_from
    cdef object _rules, _before, _stream_of
    cdef double _wait
    cdef Py_ssize_t _max_size, _max_lines
    cdef dict _events, _since

    @cython.locals(record=Record)
    cpdef object stirs(self, object records)

    cpdef object feed(self, Record record)

    @cython.locals(event=_Event, state=tuple)
    cdef object _feed(self, Record record)

    @cython.locals(event=_Event)
    cdef _open(self, object stream, Record record, tuple state)
