"""The sink ``awslogs``."""
