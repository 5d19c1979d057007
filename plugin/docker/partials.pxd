# C types for partials.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.docker.frames cimport Fields

cdef int _LETTER_E

@cython.final
cdef class Joiner:
    cdef list _starts, _sizes, _ids
    cdef public list parts, times

    cpdef give_up(self, int source)

    @cython.locals(source=int)
    cpdef int accept(self, Fields fields, bytes buffer, long long offset)

    @cython.locals(parts=list)
    cpdef hold(self, bytes line, long long time_nano, int source)

    cpdef bytes join(self, int source)

    @cython.locals(action=int)
    cdef int _accept_part(self, Fields fields, bytes buffer, long long offset, int source)

cpdef int source_index(Fields fields, bytes buffer)
