// Reads a drawing: normalization, the network, and the rule that says what is not a digit.
//
//     const answer = readDrawing(model, rgba, 280, 280, 20);   // the canvas's pixels, and the brush width
//     answer.rejected ? "not a digit" : answer.digit
//
// The rule and the names are those of `mnist_core/models/classifier.py`.

import { normalizeDrawing } from "./normalize.js";

export const DIGITS = 10;
const REJECT_ABOVE = 0.5;

/**
 * Reads a drawing of one digit.
 *
 * model: from `readModel`. rgba: 4 × width × height bytes. brush: its width in pixels of the drawing.
 * Returns what `classify` returns, and: blank (nothing is drawn; the rest is then of no meaning), image (28×28 bytes),
 * stages ({name, picture}), and milliseconds that it took.
 */
export function readDrawing(model, rgba, width, height, brush) {
  const start = performance.now();
  const { image, stages, blank } = normalizeDrawing(rgba, width, height, brush);
  const answer = classify(model, image);
  return { ...answer, blank, image, stages, milliseconds: performance.now() - start };
}

/**
 * Classifies a 28×28 image, ink bright.
 *
 * Returns {digit, confidence, rejected, probabilities (of the ten digits), notADigit (0 for a model that has only ten)}.
 */
export function classify(model, image) {
  const outputs = Array.from(model.predict(image));
  const probabilities = outputs.slice(0, DIGITS);
  const notADigit = outputs.slice(DIGITS).reduce((sum, value) => sum + value, 0);
  const confidence = Math.max(...probabilities);
  const digit = probabilities.indexOf(confidence);
  return { digit, confidence, rejected: notADigit > REJECT_ABOVE, probabilities, notADigit };
}
