# C types for read_frames.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.docker.frames cimport Fields, entry_size
from plugin.docker.partials cimport Joiner, source_index

cdef int _NEWLINE, _LINE_KEY

@cython.final
cdef class Reframer:
    cdef Fields _fields
    cdef Joiner _joiner
    cdef long long _first, _skip, _since, _until
    cdef list _heads
    cdef bytearray _out
    cdef public bint done

    @cython.locals(
        fields=Fields, joiner=Joiner, end=Py_ssize_t, position=Py_ssize_t, start=Py_ssize_t, entry_end=Py_ssize_t,
        header_size=Py_ssize_t, complete=int, action=int, source=int, head=bytes,
        characters="const char*",
    )
    cpdef Py_ssize_t feed(self, bytes buffer, long long offset)

    @cython.locals(fields=Fields)
    cdef _handle_part(self, bytes buffer, long long offset, Py_ssize_t start, int action, int source)

    @cython.locals(joiner=Joiner, line=bytes)
    cdef _emit_held(self, long long offset, int source, int newline)

    cdef bint _wanted(self, long long offset, long long time_nano)

    @cython.locals(out=bytearray, size=Py_ssize_t, line_size=Py_ssize_t, prefix=bytes)
    cdef _append(self, bytes head, bytes line, int newline)
