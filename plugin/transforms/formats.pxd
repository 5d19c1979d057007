# C types for formats.py, for Cython; the Python source runs with and without them.
cimport cython

@cython.locals(fields=dict, start=Py_ssize_t, end=Py_ssize_t, index=Py_ssize_t, value=bytes)
cpdef object parse_groups(object pattern, bytes line, object numbers=*)

@cython.locals(
    fields=dict, position=Py_ssize_t, end=Py_ssize_t, equals=Py_ssize_t, start=Py_ssize_t, name=str, value=str,
)
cdef object _pairs(str text)

cdef bint _is_key(str name) except -1

@cython.locals(position=Py_ssize_t, backslashes=Py_ssize_t, inner=str)
cdef tuple _quoted(str text, Py_ssize_t start)
