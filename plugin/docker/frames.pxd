# C types for frames.py, for Cython; the Python source runs with and without them.
cimport cython

cdef unsigned long long _SIGN_BIT
cdef int _VARINT, _FIXED64, _BYTES, _FIXED32

@cython.final
cdef class Fields:
    cdef public Py_ssize_t _position
    cdef public unsigned long long _value
    cdef public Py_ssize_t source_start, source_end, line_start, line_end, id_start, id_end, head_end
    cdef public long long time_nano, ordinal
    cdef public bint partial, has_metadata, last

    cdef void _clear(self)

    @cython.locals(
        field_start=Py_ssize_t, value_start=Py_ssize_t, value_end=Py_ssize_t, leading_source_end=Py_ssize_t,
        wire_type=int, number=cython.ulonglong,
    )
    cpdef bint locate(self, bytes buffer, Py_ssize_t start, Py_ssize_t end)

    @cython.locals(value_start=Py_ssize_t, wire_type=int, number=cython.ulonglong)
    cdef bint _locate_metadata(self, bytes buffer, Py_ssize_t end)

    @cython.locals(position=Py_ssize_t, value=cython.ulonglong, shift=int, byte=cython.ulonglong)
    cpdef bint _read_varint(self, bytes buffer, Py_ssize_t end)

    cdef bint _skip_fixed(self, unsigned long long number, int wire_type, Py_ssize_t end)

# As wide as the result: a byte shifted in C's int would turn sizes from 2 GiB on negative.
@cython.locals(first=Py_ssize_t)
cpdef Py_ssize_t entry_size(bytes buffer, Py_ssize_t position)
