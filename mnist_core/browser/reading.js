// Reads a normalized drawing: the network, and the rule that says what is not a digit.
//
//     const { image } = normalizeDrawing(rgba, 280, 280, 20);   // the canvas's pixels, and the brush width
//     const answer = classify(model, image);
//     answer.rejected ? "not a digit" : answer.digit
//
// The rule and the names are those of `mnist_core/models/classifier.py`.

export const DIGITS = 10;
const REJECT_ABOVE = 0.5;

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
