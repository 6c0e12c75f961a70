"""What an installation of one's own Kafka needs to be told."""
