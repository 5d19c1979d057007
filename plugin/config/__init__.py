"""Settings of the plugin and log-opts of containers: declared, validated, documented."""
