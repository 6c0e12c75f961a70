"""Two consumers of all batch topics, to begin with: `plain` (confluent-kafka) and `faust_agent`."""
