/**
 * Strokes to the 8 × 8 image that the network knows: as those of the data set it is the count of dark pixels in each
 * 4 × 4 square of a bitmap of 32 × 32, in which the digit fills the height.
 */

/** @typedef {{x: number, y: number}} Point */

const BITMAP = 32;
const SIDE = 8;
const RADIUS = 2.6;

/** @param {Point} p @param {Point} a @param {Point} b @returns {number} squared distance of p and the line from a to b */
function distance(p, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const size = dx * dx + dy * dy;
  const t = size ? Math.max(0, Math.min(1, ((p.x - a.x) * dx + (p.y - a.y) * dy) / size)) : 0;
  return (p.x - a.x - t * dx) ** 2 + (p.y - a.y - t * dy) ** 2;
}

/** The strokes scaled into the bitmap. @param {Point[][]} strokes @returns {Point[][]} */
function fit(strokes) {
  const points = strokes.flat();
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const room = BITMAP - 2 * RADIUS;
  const scale = room / Math.max(right - left, bottom - top, 1e-6);
  const [cx, cy] = [(left + right) / 2, (top + bottom) / 2];
  return strokes.map((stroke) => {
    return stroke.map(({ x, y }) => ({ x: (x - cx) * scale + BITMAP / 2, y: (y - cy) * scale + BITMAP / 2 }));
  });
}

/**
 * @param {Point[][]} strokes at least one point
 * @returns {Uint8Array} 64 counts, 0 to 16
 */
export function counts(strokes) {
  const fitted = fit(strokes);
  const out = new Uint8Array(SIDE * SIDE);
  for (let y = 0; y < BITMAP; y++) {
    for (let x = 0; x < BITMAP; x++) {
      const pixel = { x: x + 0.5, y: y + 0.5 };
      const dark = fitted.some((stroke) => {
        return stroke.some((point, i) => distance(pixel, stroke[Math.max(0, i - 1)], point) <= RADIUS * RADIUS);
      });
      if (dark) out[(y >> 2) * SIDE + (x >> 2)]++;
    }
  }
  return out;
}

/** The values of training: 0 to 16 becomes −1 to 1. @param {ArrayLike<number>} image @returns {Float64Array} */
export function normalised(image) {
  return Float64Array.from(image, (count) => (count * 15) / 120 - 1);
}
