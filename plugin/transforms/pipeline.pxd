# C types for pipeline.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.final
cdef class Pipeline:
    cdef long long _offset, _resume
    cdef tuple _stages, _watchers, _early, _singly, _late
    cdef list _holders
    cdef object _before, _rebuilds, _counted
    cdef long long _decoded_end, _decoded_resume

    @cython.locals(shaped=list, count=Py_ssize_t, number=Py_ssize_t, following=Py_ssize_t, until=Py_ssize_t)
    cpdef list feed(self, object records)

    cdef object _stirring(self, object records)

    cdef bint _is_idle(self) except -1

    @cython.locals(end=cython.longlong)
    cdef object _feed_singly(self, Record record, list shaped)

    @cython.locals(kept=list, record=Record, last=Record, offset=cython.longlong)
    cdef object _pass_by(self, list records, list shaped)

    @cython.locals(waiting=list, record=Record, number=Py_ssize_t, count=Py_ssize_t, end=cython.longlong)
    cdef list _feed_some(self, list records, list kept, list shaped)

    cdef object _feed_one(self, Record record)

    cdef object _note(self, Record record)

    cdef object _through(self, tuple stages, object made)

    @cython.locals(record=Record, last=Record)
    cdef object _place(self, object records, long long offset)

    @cython.locals(held=cython.longlong)
    cdef object _move(self, long long offset)
