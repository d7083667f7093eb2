// The activations of a network's layers. Each changes an array of values in place.

const sigmoid = (value) => 1 / (1 + Math.exp(-value));

export const ACTIVATIONS = {
  linear: (values) => values,
  relu: (values) => {
    // The most frequent one: a loop of its own takes a fifth of the time.
    for (let index = 0; index < values.length; index++) if (!(values[index] > 0)) values[index] = 0;
    return values;
  },
  leaky_relu: (values, { negative_slope: slope = 0.2 }) =>
    mapInPlace(values, (value) => (value > 0 ? value : value * slope)),
  elu: (values) => mapInPlace(values, (value) => (value > 0 ? value : Math.expm1(value))),
  gelu: (values) => mapInPlace(values, (value) => 0.5 * value * (1 + erf(value * Math.SQRT1_2))),
  silu: (values) => mapInPlace(values, (value) => value * sigmoid(value)),
  tanh: (values) => mapInPlace(values, Math.tanh),
  sigmoid: (values) => mapInPlace(values, sigmoid),
  softmax: (values, { width = values.length }) => {
    for (let start = 0; start < values.length; start += width) softmaxInPlace(values.subarray(start, start + width));
    return values;
  },
};

/** Replaces each value of an array. Returns the array. */
export function mapInPlace(values, change) {
  for (let index = 0; index < values.length; index++) values[index] = change(values[index]);
  return values;
}

function softmaxInPlace(values) {
  const largest = values.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] = Math.exp(values[index] - largest);
  for (let index = 0; index < values.length; index++) values[index] /= sum;
}

/** The error function to 1.2e-7: W. H. Press et al., Numerical Recipes, 2nd edition, section 6.2. */
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const coefficients = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
  ];
  const sum = coefficients.reduce((total, coefficient) => total * t + coefficient, 0);
  const tail = t * Math.exp(-x * x + sum);
  return x >= 0 ? 1 - tail : tail - 1;
}
