# C types for scanner.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.docker.frames cimport Fields, entry_size
from plugin.docker.partials cimport Joiner

@cython.final
cdef class Walker:
    cdef Fields _fields
    cdef public Joiner joiner
    cdef public list points
    cdef public long long offset, lines, latest
    cdef long long _next_point
    cdef public bint malformed

    @cython.locals(
        fields=Fields, joiner=Joiner, end=Py_ssize_t, position=Py_ssize_t, entry_end=Py_ssize_t, size=Py_ssize_t,
        base=cython.longlong, latest=cython.longlong, lines=cython.longlong, next_point=cython.longlong, action=int,
        header_size=Py_ssize_t, max_size=Py_ssize_t, spacing=cython.longlong, complete=int,
    )
    cpdef Py_ssize_t walk(self, bytes buffer)

cpdef int count_lines(int action)
