"""The job backend for a Ray cluster."""
