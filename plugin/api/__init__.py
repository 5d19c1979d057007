"""The HTTP face of the plugin, on a unix socket."""
