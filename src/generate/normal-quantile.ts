// Coefficients of Wichura's PPND16, in ascending powers.
const CENTRE_ABOVE = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946,
  45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const CENTRE_BELOW = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751,
  21213.794301586597, 39307.89580009271, 28729.085735721943, 5226.495278852854,
];
const SIDE_ABOVE = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045,
  1.2704582524523684, 0.2417807251774506, 0.022723844989269184,
  0.0007745450142783414,
];
const SIDE_BELOW = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851,
  0.14810397642748008, 0.015198666563616457, 0.0005475938084995345,
  1.0507500716444169e-9,
];
const FAR_ABOVE = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
  0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-5,
  2.0103343992922881e-7,
];
const FAR_BELOW = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615,
  0.0007868691311456133, 1.8463183175100548e-5, 1.421511758316446e-7,
  2.0442631033899397e-15,
];

/**
 * Returns the standard normal quantile of u, 0 < u < 1, with a relative error of about 1e-15.
 * Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988.
 *
 * Each normal draw takes one uniform draw. Rational functions, a square root and naturalLog give the same bits on every
 * machine, unlike Math.log and Math.cos in the Box-Muller transform.
 */
export function normalQuantile(u: number): number {
  const q = u - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(CENTRE_ABOVE, r)) / polynomial(CENTRE_BELOW, r);
  }
  const r = Math.sqrt(-naturalLog(q < 0 ? u : 1 - u));
  const size =
    r <= 5
      ? polynomial(SIDE_ABOVE, r - 1.6) / polynomial(SIDE_BELOW, r - 1.6)
      : polynomial(FAR_ABOVE, r - 5) / polynomial(FAR_BELOW, r - 5);
  return q < 0 ? -size : size;
}

function polynomial(coefficients: readonly number[], r: number): number {
  let sum = 0;
  for (let k = coefficients.length - 1; k >= 0; k--)
    sum = sum * r + (coefficients[k] as number);
  return sum;
}

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/**
 * Returns log x for 2^-60 < x < 1 with an error of at most 2 ulp. Uses only additions, products and quotients, whose
 * bits IEEE 754 fixes; Math.log differs between engines.
 *
 * x = f·2^-n with f in [√½, √2), and log x = 2 atanh(z) - n ln 2 with z = (f - 1)/(f + 1), |z| <= 0.1716. The remainder
 * of the series after z^23/23 is below 2^-62.
 */
export function naturalLog(x: number): number {
  let f = x;
  let n = 0;
  while (f < Math.SQRT1_2) {
    f *= 2;
    n++;
  }
  const z = (f - 1) / (f + 1);
  const z2 = z * z;
  let sum = 0;
  for (let k = 23; k >= 3; k -= 2) sum = (sum + 1 / k) * z2;
  return 2 * z - n * LN2_HIGH + (2 * z * sum - n * LN2_LOW);
}
