"""Reporting from the libraries that hand out work: one module each, with an extra of the same name."""
