# C types for decoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.docker.frames cimport Fields, entry_size
from plugin.docker.partials cimport Joiner, source_index
from plugin.records.record cimport Record, whole_line

@cython.final
cdef class Decoder:
    cdef public object prepared
    cdef bint _joined, _keeps_earlier
    cdef long long _first, _cut_from
    cdef Fields _fields
    cdef Joiner _joiner
    cdef list _last, _beginnings, _records, _earlier

    @cython.locals(
        fields=Fields, joiner=Joiner, joined=bint, records=list, first=cython.longlong, end=Py_ssize_t,
        position=Py_ssize_t, start=Py_ssize_t, entry_end=Py_ssize_t, header_size=Py_ssize_t, complete=int, action=int,
        source=int, frame=cython.longlong, behind=cython.longlong, resume=cython.longlong, line=bytes,
        characters="const char*",
    )
    cpdef Py_ssize_t feed(self, bytes buffer, long long offset)

    @cython.locals(fields=Fields, line=bytes)
    cdef _keep_line(self, bytes buffer, long long frame, long long behind, int source)

    @cython.locals(fields=Fields, record=Record)
    cdef _add_part(self, bytes buffer, long long frame, long long behind, int source)

    @cython.locals(line=bytes, beginning=Record, count=Py_ssize_t)
    cdef _mend(self, Record record, int source)

    @cython.locals(beginning=Record, resume=cython.longlong)
    cdef long long _resume_behind(self, long long end)

    @cython.locals(beginning=Record)
    cdef _emit_beginning(self, long long behind, int source)

    @cython.locals(fields=Fields)
    cdef _handle_part(self, bytes buffer, long long frame, long long behind, int action, int source)

    @cython.locals(joiner=Joiner, line=bytes, records=list)
    cdef _emit_held(self, long long behind, int source, bint delivered)
