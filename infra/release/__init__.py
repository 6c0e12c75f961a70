"""Builds the five distributions, and checks them in a clean environment as a user would get them."""
