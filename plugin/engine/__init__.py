"""What the Docker engine hands us: frames, container info, tag templates, log-opt values."""
