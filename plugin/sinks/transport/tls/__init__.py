"""TLS for sinks: options, contexts, and the layer over a stream."""
