"""Run directories: the spec and controls of a training, its reports, and what is kept of it."""
