# C types for acting.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record
from plugin.transforms.pipeline_stages.entry cimport Entry, encoded, is_utf8

@cython.final
cdef class LabelsStep:
    cdef object _labels

    cdef object _make(self, Entry entry)
