"""The projector: reads the topic of each batch and keeps its counts, file outcomes and raw log in PostgreSQL."""
