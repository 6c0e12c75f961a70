"""The `headway` command: batches in a terminal, in scripts and in CI. Needs the extra `headway-client[cli]`."""
