"""Status of the plugin: model, collection, Prometheus metrics, and the client that asks for it."""
