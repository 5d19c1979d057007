"""The journal: each container's log on disk, as segments of the very frames that the engine wrote.

The only code that knows the files below the data folder's ``containers``. One writer, any number of readers in any
process, each with an offset of its own.
"""
