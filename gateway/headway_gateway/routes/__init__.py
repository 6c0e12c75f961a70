"""One module for each resource that is served."""
