/** The ConvMixer of `make demo`, run on the tensors of its file; images are of 8 × 8 values from −1 to 1. */

/** @typedef {Map<string, {shape: number[], data: any}>} Tensors */

const SIDE = 8;
const BATCHNORM_EPS = 1e-5;

/** The error function by its series without alternating signs. @param {number} x @returns {number} */
function erf(x) {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  let term = size;
  let sum = size;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= (2 * size * size) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * sum * (2 / Math.sqrt(Math.PI)) * Math.exp(-size * size);
}

/** GELU, in place. @param {Float64Array} x */
function gelu(x) {
  for (let i = 0; i < x.length; i++) x[i] *= 0.5 * (1 + erf(x[i] * Math.SQRT1_2));
}

/**
 * BatchNorm of a trained network, in place.
 * @param {Float64Array} x channels × pixels
 * @param {Tensors} tensors
 * @param {string} prefix
 */
function batchNorm(x, tensors, prefix) {
  const [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((name) => {
    return get(tensors, `${prefix}.${name}`).data;
  });
  const pixels = x.length / weight.length;
  for (let c = 0, i = 0; c < weight.length; c++) {
    const scale = weight[c] / Math.sqrt(variance[c] + BATCHNORM_EPS);
    for (let p = 0; p < pixels; p++, i++) x[i] = (x[i] - mean[c]) * scale + bias[c];
  }
}

/** @param {Tensors} tensors @param {string} name */
function get(tensors, name) {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`the network has no ${name}`);
  return tensor;
}

/** The stem: patches that do not overlap. @param {Float64Array} image @param {Tensors} tensors */
function stem(image, tensors) {
  const { shape, data } = get(tensors, "0.weight");
  const [width, , patch] = shape;
  const side = SIDE / patch;
  const out = new Float64Array(width * side * side);
  for (let c = 0, i = 0; c < width; c++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++, i++) {
        for (let k = 0; k < patch * patch; k++) {
          const pixel = (y * patch + Math.floor(k / patch)) * SIDE + x * patch + (k % patch);
          out[i] += data[c * patch * patch + k] * image[pixel];
        }
      }
    }
  }
  return out;
}

/** A convolution of each channel by itself, with zeros around it. @param {Float64Array} x @param {any} weight */
function depthwise(x, { shape, data }) {
  const [width, , kernel] = shape;
  const side = Math.sqrt(x.length / width);
  const half = (kernel - 1) / 2;
  const out = new Float64Array(x.length);
  for (let c = 0, i = 0; c < width; c++) {
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++, i++) {
        for (let ky = 0; ky < kernel; ky++) {
          for (let kx = 0; kx < kernel; kx++) {
            const [y, z] = [row + ky - half, column + kx - half];
            if (y < 0 || z < 0 || y >= side || z >= side) continue;
            out[i] += data[(c * kernel + ky) * kernel + kx] * x[(c * side + y) * side + z];
          }
        }
      }
    }
  }
  return out;
}

/** A matrix times the channels of every pixel. @param {Float64Array} x @param {any} weight */
function pointwise(x, { shape, data }) {
  const [rows, columns] = shape;
  const pixels = x.length / columns;
  const out = new Float64Array(rows * pixels);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const weight = data[r * columns + c];
      if (weight === 0) continue;
      for (let p = 0; p < pixels; p++) out[r * pixels + p] += weight * x[c * pixels + p];
    }
  }
  return out;
}

/**
 * @param {Tensors} tensors
 * @param {ArrayLike<number>} image
 * @returns {Float64Array} ten logits
 */
export function run(tensors, image) {
  let x = stem(Float64Array.from(image), tensors);
  gelu(x);
  batchNorm(x, tensors, "2");
  let layer = 3;
  for (; tensors.has(`${layer}.1.weight`); layer++) {
    const mixed = depthwise(x, get(tensors, `${layer}.0.fn.0.weight`));
    gelu(mixed);
    batchNorm(mixed, tensors, `${layer}.0.fn.2`);
    for (let i = 0; i < x.length; i++) x[i] += mixed[i];
    x = pointwise(x, get(tensors, `${layer}.1.weight`));
    gelu(x);
    batchNorm(x, tensors, `${layer}.3`);
  }
  const classifier = get(tensors, `${layer + 2}.weight`);
  const pixels = x.length / classifier.shape[1];
  const means = new Float64Array(classifier.shape[1]);
  for (let i = 0; i < x.length; i++) means[Math.floor(i / pixels)] += x[i] / pixels;
  return pointwise(means, classifier);
}

/** @param {Float64Array} logits @returns {number[]} probabilities */
export function softmax(logits) {
  const top = Math.max(...logits);
  const parts = Array.from(logits, (logit) => Math.exp(logit - top));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}
