"""Who trains a run, and when: workers on this machine, or a Ray cluster."""
