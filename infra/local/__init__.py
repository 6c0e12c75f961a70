"""A real Kafka, a real PostgreSQL and Headway's own programs on this machine, without Docker."""
