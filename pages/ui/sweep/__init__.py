"""Parts of the Sweeps page: the form, the running sweep, the analysis of its trials."""
