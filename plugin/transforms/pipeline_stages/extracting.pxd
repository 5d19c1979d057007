# C types for extracting.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record
from plugin.transforms.pipeline_stages.entry cimport Entry, decoded, encoded

@cython.final
cdef class JsonStep:
    cdef object _expressions, _source, _malformed
    cdef list _simple

    @cython.locals(text=bytes, extracted=dict, document=object)
    cdef object _take(self, Entry entry)

@cython.final
cdef class RegexStep:
    cdef object _pattern, _source

    @cython.locals(text=bytes, extracted=dict, start=Py_ssize_t, end=Py_ssize_t, number=Py_ssize_t)
    cdef object _take(self, Entry entry)
