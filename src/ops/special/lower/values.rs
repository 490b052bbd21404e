//! Values of special functions, computed from integrals and series when a model is written. Tables in the model consist of them.
//!
//! The trapezoidal rule computes integrals of analytic functions over the whole line, or over a period, to all digits with few
//! points (Trefethen and Weideman, "The exponentially convergent trapezoidal rule", SIAM Review 56, 2014).
//!
//! Source of the formulas: NIST Digital Library of Mathematical Functions, <https://dlmf.nist.gov>, by the numbers of its equations.

use std::f64::consts::PI;

/// The integral of exp(-v²) f(v) over all v, for an even function f.
fn gaussian(function: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 0.0625;
    let beside: f64 = (1..=112)
        .map(|step| {
            let v = STEP * f64::from(step);
            (-v * v).exp() * function(v)
        })
        .sum();
    STEP * (function(0.0) + 2.0 * beside)
}

/// The sum of a series whose terms follow from the term before, up to one that is too small to count.
fn series(first: f64, mut next: impl FnMut(f64, f64) -> f64) -> f64 {
    let (mut sum, mut term) = (0.0, first);
    let mut step = 1.0;
    while term.abs() > sum * 1e-18 && step < 2000.0 {
        sum += term;
        term = next(term, step);
        step += 1.0;
    }
    sum
}

/// An asymptotic series of positive terms, up to its least term.
fn asymptotic(ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut term) = (0.0, 1.0);
    let mut step = 1.0;
    while term > 1e-18 && ratio(step) < 1.0 {
        sum += term;
        term *= ratio(step);
        step += 1.0;
    }
    sum
}

/// ζ(s) - 1, for an integer s from 2 on.
pub fn zeta_minus_one(s: i32) -> f64 {
    // Euler and Maclaurin's sum (25.2.9).
    let n = 16.0_f64;
    let head: f64 = (2..16).rev().map(|k| f64::from(k).powi(-s)).sum();
    let s = f64::from(s);
    let tail = n.powf(1.0 - s) / (s - 1.0) + 0.5 * n.powf(-s);
    let mut factor = s * n.powf(-s - 1.0);
    let mut rest = 0.0;
    for (index, bernoulli) in BERNOULLI.iter().enumerate() {
        rest += bernoulli * factor;
        let place = 2.0 * index as f64;
        factor *= (s + place + 1.0) * (s + place + 2.0) / (n * n);
    }
    head + tail + rest
}

/// B₂ₖ / (2k)! for k from 1 on.
pub const BERNOULLI: [f64; 10] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30_240.0,
    -1.0 / 1_209_600.0,
    1.0 / 47_900_160.0,
    -691.0 / 1_307_674_368_000.0,
    1.0 / 74_724_249_600.0,
    -3617.0 / 10_670_622_842_880_000.0,
    43867.0 / 5_109_094_217_170_944_000.0,
    -174_611.0 / 802_857_662_698_291_200_000.0,
];

/// Euler's constant.
pub const EULER: f64 = 0.577_215_664_901_532_9;

/// log Γ(x) without the large terms (x - 1/2) log x - x + log(2π)/2 (5.11.1).
pub fn log_gamma_rest(x: f64) -> f64 {
    if x < 12.0 {
        return log_gamma_rest(x + 1.0) + (x + 0.5) * (1.0 / x).ln_1p() - 1.0;
    }
    let square = x * x;
    let coefficients =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    coefficients.iter().rev().fold(1.0 / 156.0, |sum, coefficient| sum / square + coefficient) / x
}

/// ψ(x) - log x (5.11.2).
pub fn digamma_rest(x: f64) -> f64 {
    if x < 12.0 {
        return digamma_rest(x + 1.0) + (1.0 / x).ln_1p() - 1.0 / x;
    }
    let square = x * x;
    let coefficients = [-1.0 / 12.0, 1.0 / 120.0, -1.0 / 252.0, 1.0 / 240.0, -1.0 / 132.0, 691.0 / 32_760.0];
    -0.5 / x
        + coefficients.iter().rev().fold(-1.0 / 12.0, |sum, coefficient| sum / square + coefficient) / square
}

/// √(2x/π) e^x K(x) for a real argument, of order 0 or 1 (10.32.8).
pub fn bessel_k(order: i32, x: f64) -> f64 {
    let power = f64::from(order) - 0.5;
    let norm = PI.sqrt() * if order == 0 { 1.0 } else { 0.5 };
    gaussian(|v| v.powi(2 * order) * (1.0 + v * v / (2.0 * x)).powf(power)) / norm
}

/// The parts P and Q of J and Y: √(πx/2) J(x) = P cos χ - Q sin χ, √(πx/2) Y(x) = P sin χ + Q cos χ, where χ = x - (1/4 + order/2)π
/// (10.17.3 and the integral 10.9.4, as one for Hankel's function).
pub fn bessel_hankel(order: i32, x: f64) -> [f64; 2] {
    let power = f64::from(order) - 0.5;
    let norm = PI.sqrt() * if order == 0 { 1.0 } else { 0.5 };
    let part = |wave: fn(f64) -> f64| {
        gaussian(|v| {
            let imaginary = v * v / (2.0 * x);
            let (length, angle) = ((1.0 + imaginary * imaginary).sqrt(), imaginary.atan());
            v.powi(2 * order) * length.powf(power) * wave(angle * power)
        }) / norm
    };
    [part(f64::cos), part(f64::sin)]
}

/// √x e^-x I(x), of order 0 or 1 (10.32.3).
pub fn bessel_i(order: i32, x: f64) -> f64 {
    let count = 60 + (9.0 * x.sqrt()) as usize;
    let mean: f64 = (0..count)
        .map(|step| {
            let angle = 2.0 * PI * (step as f64 + 0.5) / count as f64;
            (-2.0 * x * (angle / 2.0).sin().powi(2)).exp() * if order == 0 { 1.0 } else { angle.cos() }
        })
        .sum();
    x.sqrt() * mean / count as f64
}

/// Dawson's integral divided by x (7.5.1).
pub fn dawson(x: f64) -> f64 {
    // e^-x² ∫ e^t² dt, term by term.
    let square = x * x;
    let mut power = (-square).exp();
    series(power, |_, step| {
        power *= square / step;
        power / (2.0 * step + 1.0)
    })
}

/// Dawson's integral times 2x, for large x (7.12.1).
pub fn dawson_large(x: f64) -> f64 {
    asymptotic(|step| (2.0 * step - 1.0) / (2.0 * x * x))
}

/// x e^-x Ei(x) (6.6.2, 6.12.2).
pub fn exponential_integral(x: f64) -> f64 {
    if x > 45.0 {
        return asymptotic(|step| step / x);
    }
    let scale = (-x).exp() * x;
    let mut power = scale;
    let sum = series(power * x, |_, step| {
        power *= x / step;
        power * x / (step + 1.0) / (step + 1.0)
    });
    (EULER + x.ln()) * scale + sum
}

/// The auxiliary functions of Fresnel's integrals: πx f(x) and π²x³ g(x) (7.7.10, 7.7.11).
pub fn fresnel(x: f64) -> [f64; 2] {
    let a = PI * x * x / 2.0;
    let f = gaussian(|v| 1.0 / (1.0 + v.powi(4) / (a * a))) / PI.sqrt();
    let g = gaussian(|v| 2.0 * v * v / (1.0 + v.powi(4) / (a * a))) / PI.sqrt();
    [f, g]
}

/// The logarithm of the upper tail of the normal distribution, and its derivative.
fn log_tail(z: f64) -> [f64; 2] {
    let x = z / 2_f64.sqrt();
    let log = (0.5 * scaled_complement(x)).ln() - x * x;
    let density = -0.5 * z * z - 0.5 * (2.0 * PI).ln();
    [log, -(density - log).exp()]
}

/// The error function, of x from 0 on.
fn erf(x: f64) -> f64 {
    x * error_function_slope(x)
}

/// The error function divided by x, by a series (7.6.2) or by the complement.
pub fn error_function_slope(x: f64) -> f64 {
    if x < 1.0 {
        let sum = series(1.0, |term, step| term * 2.0 * x * x / (2.0 * step + 1.0));
        2.0 / PI.sqrt() * (-x * x).exp() * sum
    } else {
        (1.0 - (-x * x).exp() * scaled_complement(x)) / x
    }
}

/// exp(x²) (1 - erf(x)), for x from 0 on (7.7.1).
pub fn scaled_complement(x: f64) -> f64 {
    if x < 0.5 { (x * x).exp() * (1.0 - erf(x)) } else { x / PI * gaussian(|v| 1.0 / (x * x + v * v)) }
}

/// Where the upper tail of the normal distribution is exp(-s²/2), from one half down.
pub fn normal_quantile(s: f64) -> f64 {
    let mut z = (s * s - 2.0 * 2_f64.ln()).max(0.0).sqrt();
    for _ in 0..40 {
        let [log, slope] = log_tail(z);
        z -= (log + 0.5 * s * s) / slope;
    }
    z
}

/// The dilogarithm of u, divided by u (25.12.1).
pub fn dilogarithm(u: f64) -> f64 {
    let mut power = 1.0;
    series(1.0, |_, step| {
        power *= u;
        power / ((step + 1.0) * (step + 1.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::formula::table::Table;

    #[test]
    fn values_are_those_of_published_tables() {
        let is =
            |got: f64, expected: f64| assert!((got / expected - 1.0).abs() < 2e-14, "{got}, not {expected}");
        is(zeta_minus_one(2), PI * PI / 6.0 - 1.0);
        is(zeta_minus_one(4), PI.powi(4) / 90.0 - 1.0);
        // log Γ(4) = log 6, ψ(4) = 11/6 - γ
        let main = 3.5 * 4_f64.ln() - 4.0 + 0.5 * (2.0 * PI).ln();
        is(log_gamma_rest(4.0) + main, 6_f64.ln());
        is(digamma_rest(4.0) + 4_f64.ln(), 11.0 / 6.0 - EULER);
        is(erf(1.0), 0.842_700_792_949_714_9);
        is(erf(3.0), 0.999_977_909_503_001_4);
        is(scaled_complement(3.0) * (-9_f64).exp(), 2.209_049_699_858_544e-5);
        is(normal_quantile((-2.0 * 0.025_f64.ln()).sqrt()), 1.959_963_984_540_054);
        is(dawson(1.0), 0.538_079_506_912_768_4);
        is(dawson_large(8.0) / 16.0, 8.0 * dawson(8.0));
        is(dilogarithm(0.5) / 2.0, PI * PI / 12.0 - 0.5 * 2_f64.ln().powi(2));
        is(exponential_integral(3.0) * 3_f64.exp() / 3.0, 9.933_832_570_625_416);
        is(bessel_k(0, 2.0) * (PI / 4.0).sqrt() * (-2_f64).exp(), 0.113_893_872_749_533_43);
        is(bessel_k(1, 2.0) * (PI / 4.0).sqrt() * (-2_f64).exp(), 0.139_865_881_816_522_43);
        is(bessel_i(0, 5.0) / 5_f64.sqrt() * 5_f64.exp(), 27.239_871_823_604_442);
        is(bessel_i(1, 5.0) / 5_f64.sqrt() * 5_f64.exp(), 24.335_642_142_450_53);
    }

    #[test]
    fn tables_have_all_digits() {
        Table::of(dawson, 0.0, 7.0, 24).assert_is(dawson, "dawson");
        Table::of(dilogarithm, 0.0, 0.5, 8).assert_is(dilogarithm, "dilogarithm");
        let reciprocal = |function: fn(f64) -> f64, from: f64| move |w: f64| function(from / w);
        for (what, function, from, pieces) in [
            ("log_gamma_rest", (|x| x * log_gamma_rest(x)) as fn(f64) -> f64, 3.5, 8),
            ("digamma_rest", |x| x * digamma_rest(x), 3.5, 8),
            ("bessel_i 0", |x| bessel_i(0, x), 5.0, 16),
            ("bessel_i 1", |x| bessel_i(1, x), 5.0, 16),
            ("bessel_k 0", |x| bessel_k(0, x), 2.0, 16),
            ("bessel_k 1", |x| bessel_k(1, x), 2.0, 16),
            ("bessel_hankel 0", |x| bessel_hankel(0, x)[0], 5.0, 16),
            ("bessel_hankel 1", |x| bessel_hankel(1, x)[0], 5.0, 16),
            ("fresnel f", |x| fresnel(x)[0], 1.5, 16),
            ("fresnel g", |x| fresnel(x)[1], 1.5, 16),
            ("exponential_integral", exponential_integral, 2.0, 48),
        ] {
            let function = reciprocal(function, from);
            Table::of(function, 0.0, 1.0, pieces).assert_is(function, what);
        }
    }
}
