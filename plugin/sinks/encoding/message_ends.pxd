# C types for message_ends.py, for Cython; the Python source runs with and without them.
cimport cython

@cython.locals(ends=list, number=Py_ssize_t, start=Py_ssize_t, size=Py_ssize_t, text=bytes)
cpdef list ends_of_messages(objects, Py_ssize_t most, Py_ssize_t room)
