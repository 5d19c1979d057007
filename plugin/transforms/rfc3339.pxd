# C types for rfc3339.py, for Cython; the Python source runs with and without them.
cimport cython

cdef long long _SECOND, _LATEST
cdef int _SHORTEST, _LONGEST, _HOURS, _MINUTES, _MOST_DIGITS

@cython.locals(
    size=Py_ssize_t, position=Py_ssize_t, hour=int, minute=int, second=int, digits=int, shift=int,
    fraction=cython.longlong, day=cython.longlong, seconds=cython.longlong,
)
cpdef long long read_rfc3339(str text) except? -2

cdef int _two(str text, Py_ssize_t position) except? -2

@cython.locals(hours=int, minutes=int, shift=int)
cdef int _shift(str text, Py_ssize_t position, Py_ssize_t size) except? -2000
