# C types for redact.py, for Cython; the Python source runs with and without them.
cimport cython
from plugin.records.record cimport Record
from plugin.transforms.line_search cimport LineSearch

@cython.final
cdef class _Kind:
    cdef object _check, _match
    cdef bint _is_foreign
    cdef tuple _groups
    cdef bytes _with

    @cython.locals(
        pieces=list, end=Py_ssize_t, position=Py_ssize_t, size=Py_ssize_t, first=Py_ssize_t, last=Py_ssize_t,
        start=Py_ssize_t, behind=Py_ssize_t, number=Py_ssize_t, most=Py_ssize_t,
    )
    cpdef bytes redact(self, bytes text)

@cython.final
cdef class Redact:
    cdef LineSearch _search
    cdef tuple _kinds
    cdef object _set, _secret, _finds_secret_name
    cdef set _clean_names

    cpdef object shape(self, Record record)

    @cython.locals(record=Record, number=Py_ssize_t, parsed=list)
    cpdef object shape_all(self, list records)

    @cython.locals(kinds=tuple, first=Py_ssize_t, number=Py_ssize_t, redacted=bytes)
    cdef bytes _redacted(self, bytes text)

    cdef object _found_in(self, bytes text)

    @cython.locals(parts=list, text=str)
    cdef bytes _text_of(self, dict members)

    @cython.locals(members=dict)
    cdef bint _gather(self, object value, list parts) except -1

    @cython.locals(encoded=bytes)
    cdef bint _is_clean(self, str name) except -1

    @cython.locals(encoded=bytes)
    cdef str _redacted_text(self, str text)

    cdef dict _redacted_members(self, dict members)

    cdef object _redacted_value(self, object value)

@cython.final
cdef class PrivateKeys:
    cdef public object released_from, _since
    cdef object _with, _before
    cdef dict _lines, _held

    @cython.locals(record=Record)
    cpdef object stirs(self, object records)

    cpdef object feed(self, Record record)

    cdef object _forget(self, str source)
