"""The web page: containers, live tail, search; served by a process of its own, so that no page can slow intake."""
