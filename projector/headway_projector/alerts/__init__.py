"""Alerts: which batches' news is told to which webhooks (`rules`, `silence`), and its delivery (`delivery`)."""
