"""Parts of the Sweep page: the form, the running sweep, the analysis of its trials."""
