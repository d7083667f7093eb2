"""Networks as data: layers, what is wrong with them, what they cost, and how they are saved, shared and built."""
