"""The views of the Explain page: what happens inside a model when it classifies one digit."""
