# C types for holding.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record
from plugin.transforms.pipeline_stages.entry cimport Entry

@cython.final
cdef class Steps:
    cdef public object dropped
    cdef public tuple steps
    cdef public bint closes
    cdef bint _opens

    cpdef object feed(self, Record record)

    @cython.locals(record=Record)
    cpdef list feed_all(self, list records)

    @cython.locals(entry=Entry)
    cdef bint _keeps(self, Record record) except -1

@cython.locals(labels=dict)
cdef object _close(Record record, Entry entry)
