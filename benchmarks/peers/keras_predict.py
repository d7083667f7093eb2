"""The peer of benchmarks/answering.py: the shipped model read by Keras, `model.predict` as it comes.

python benchmarks/peers/keras_predict.py IMAGES.npz        # prints the images per second
"""

from __future__ import annotations

import json
import sys
import time

import keras
import numpy as np

from mnist_core.models.classifier import DEFAULT_MODEL


def main(path: str) -> None:
    """Reads all images once, after a first batch that builds the graph."""
    with np.load(path) as archive:
        images = archive["images"][..., None].astype(np.float32)
    model = keras.saving.load_model(DEFAULT_MODEL.with_suffix(".keras"))
    model.predict(images[:256], verbose=0)
    began = time.perf_counter()
    model.predict(images, verbose=0)
    print(json.dumps({"images_per_second": len(images) / (time.perf_counter() - began)}))


if __name__ == "__main__":
    main(sys.argv[1])
