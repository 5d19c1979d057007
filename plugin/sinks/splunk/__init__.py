"""The sink `splunk`."""
