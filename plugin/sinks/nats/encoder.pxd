# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(record=Record, numbers=list)
cpdef object places_of(list records, Py_ssize_t start, Py_ssize_t end)
