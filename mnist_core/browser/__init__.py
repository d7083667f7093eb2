"""What runs in a browser: the engine, the normalization, and the file with a model's weights that they read."""
