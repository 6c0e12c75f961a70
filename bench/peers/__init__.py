"""What people would use instead of the projector, on the same machine, topics and PostgreSQL."""
