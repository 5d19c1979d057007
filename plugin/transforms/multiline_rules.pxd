# C types for multiline_rules.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.transforms.line_search cimport LineSearch

@cython.final
cdef class PatternRules:
    cdef object _finds, _starts, _ends_at_once
    cdef LineSearch _search
    cdef bint _continues, _includes_last

    cpdef object begin(self, bytes line)

    cpdef object follow(self, object state, bytes line)

    cpdef bint is_tentative(self, object state) except -1

@cython.final
cdef class LanguageRules:
    cdef list _starts
    cdef dict _follow
    cdef set _tentative
    cdef LineSearch _search
