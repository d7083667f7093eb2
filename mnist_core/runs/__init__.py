"""Run directories: what a training is told, what it reports, and what people keep of it."""
