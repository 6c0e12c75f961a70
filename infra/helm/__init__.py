"""The chart for Kubernetes, and its checks."""
