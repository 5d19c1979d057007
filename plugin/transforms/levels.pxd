# C types for levels.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(beginning=bytes, found=bytes, word=bytes, start=Py_ssize_t, end=Py_ssize_t)
cpdef int level_in(bytes line) except -1

@cython.locals(ended=bytes, size=Py_ssize_t, start=Py_ssize_t, position=Py_ssize_t, byte=int)
cdef bytes _last_word(bytes text)

cdef int _0, _9, _A, _Z, _SMALL_A, _SMALL_Z, _ERROR, _INFO

@cython.final
cdef class Severity:
    cpdef object shape(self, Record record)
