# C types for exact_json.py, for Cython; the Python source runs with and without them.
cimport cython

@cython.locals(found=int)
cdef int _has_doubtful_floats(object value, int depth) except -1
