"""Exports a run in several formats, and imports a run that was exported as a zip."""
