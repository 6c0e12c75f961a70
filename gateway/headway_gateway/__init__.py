"""The gateway: streams of Server-Sent Events, a JSON API and a dashboard over the topics and tables of batches."""
