# C types for encoder.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record

@cython.locals(first=Record, record=Record, source=str, end=Py_ssize_t)
cpdef Py_ssize_t end_of_run(records, Py_ssize_t start)
