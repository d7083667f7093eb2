"""What runs in a browser: the engine, the normalization, the live reading, and the weights file that they read."""
