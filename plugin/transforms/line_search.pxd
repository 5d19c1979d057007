# C types for line_search.py, for Cython; the Python source runs with and without them.
cimport cython

@cython.final
cdef class LineSearch:
    cdef object _finds, _match

    cpdef bint is_in(self, bytes line)

    @cython.locals(count=Py_ssize_t, text=bytes)
    cpdef list found(self, list lines)

    @cython.locals(size=Py_ssize_t, start=Py_ssize_t, number=Py_ssize_t, found=list, ends=list)
    cdef list _found_in(self, object match, bytes text, list lines, bint tries=*)

    @cython.locals(known=list, joined=bytes)
    cpdef list found_in_any(self, list texts)

    @cython.locals(number=Py_ssize_t)
    cdef list _found_singly(self, list lines, Py_ssize_t first)
