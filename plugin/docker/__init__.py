"""What the Docker engine sends: frames, container information, partial lines, tags."""
