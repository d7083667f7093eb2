"""From a drawing to the 28×28 image a model takes: ink, strokes, normalization, whole numbers."""
