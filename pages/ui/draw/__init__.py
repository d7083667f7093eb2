"""The parts of the Draw page, and the guided tour."""
