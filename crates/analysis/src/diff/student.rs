//! Distributions: what a test needs of Student's t and of the binomial, by way of the incomplete beta function.

/// Terms of the continued fraction, at most; it takes about the square root of the greater parameter.
const MAX_TERMS: usize = 10_000;
/// Halvings when a distribution is inverted: as many as a float has bits, and some.
const HALVINGS: usize = 200;

/// The natural logarithm of Γ(x), for positive `x`: Stirling's series from 12 on, to which smaller ones are lifted by
/// Γ(x + 1) = x Γ(x).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut lifted) = (x, 0.0);
    while x < 12.0 {
        lifted += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    // Bernoulli numbers over 2n (2n − 1).
    let series = inverse
        * (1.0 / 12.0
            - square
                * (1.0 / 360.0
                    - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - lifted
}

/// The regularised incomplete beta function I_x(a, b).
///
/// Source: NIST Digital Library of Mathematical Functions, 8.17.22, evaluated by Lentz's method.
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on one side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    front.exp() / a * fraction(a, b, x)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away = |value: f64| {
        if value.abs() < 1e-300 { 1e-300 } else { value }
    };
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut value) = (1.0, d);
    for m in 1..MAX_TERMS {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            step = c * d;
            value *= step;
        }
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The chance that |t| of `freedom` degrees is at least `t`.
pub fn student_tails(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The t of `freedom` degrees whose two tails have the chance `tails`.
pub fn student_quantile(tails: f64, freedom: f64) -> f64 {
    let mut high = 1.0;
    while student_tails(high, freedom) > tails && high < 1e150 {
        high *= 2.0;
    }
    bisect(0.0, high, |t| student_tails(t, freedom) <= tails)
}

/// The exact two-sided interval for a share, of which `hits` of `trials` were seen. It errs at most with the chance
/// `error`.
///
/// Source: Clopper and Pearson, Biometrika 26 (1934).
pub fn clopper_pearson(hits: u64, trials: u64, error: f64) -> (f64, f64) {
    let (k, n) = (hits as f64, trials as f64);
    let low = match hits {
        0 => 0.0,
        _ => bisect(0.0, 1.0, |p| {
            incomplete_beta(k, n - k + 1.0, p) >= error / 2.0
        }),
    };
    let high = match hits >= trials {
        true => 1.0,
        false => bisect(0.0, 1.0, |p| {
            1.0 - incomplete_beta(k + 1.0, n - k, p) <= error / 2.0
        }),
    };
    (low, high)
}

/// Where `reached` becomes true between `low` and `high`.
pub(super) fn bisect(mut low: f64, mut high: f64, reached: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        match reached(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    low + (high - low) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64, error: f64) {
        assert!(
            (got - expected).abs() <= error * expected.abs(),
            "{got}, not {expected}"
        );
    }

    #[test]
    fn gamma_is_a_factorial() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            near(ln_gamma(n as f64 + 1.0) + 1.0, factorial.ln() + 1.0, 1e-13);
            factorial *= n as f64 + 1.0;
        }
        near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
    }

    /// For whole parameters the function is a sum of binomials.
    #[test]
    fn the_incomplete_beta_function_is_a_binomial_tail() {
        for (n, k) in [(1_i32, 1_i32), (5, 2), (10, 10), (40, 3), (200, 150)] {
            for x in [0.001, 0.1, 0.5, 0.77, 0.999_f64] {
                let tail: f64 = (k..=n)
                    .map(|j| {
                        let choose: f64 = (0..j)
                            .map(|i| f64::from(n - i) / f64::from(i + 1))
                            .product();
                        choose * x.powi(j) * (1.0 - x).powi(n - j)
                    })
                    .sum();
                let got = incomplete_beta(f64::from(k), f64::from(n - k + 1), x);
                assert!((got - tail).abs() < 1e-12, "{n} {k} {x}: {got}, not {tail}");
            }
        }
    }

    /// One degree is Cauchy's distribution, two have a closed form; the others are of every table.
    #[test]
    fn student() {
        for tails in [0.5, 0.1, 0.01, 1e-6_f64] {
            let cauchy = (std::f64::consts::FRAC_PI_2 * (1.0 - tails)).tan();
            near(student_quantile(tails, 1.0), cauchy, 1e-9);
            let p = 1.0 - tails;
            near(
                student_quantile(tails, 2.0),
                p * (2.0 / (1.0 - p * p)).sqrt(),
                1e-9,
            );
        }
        near(student_quantile(0.05, 10.0), 2.228_139, 1e-6);
        near(student_quantile(0.01, 9.0), 3.249_836, 1e-6);
        near(student_quantile(0.01, 30.0), 2.749_996, 1e-6);
        near(student_quantile(0.05, 1e7), 1.959_964, 1e-5);
    }

    #[test]
    fn clopper_and_pearson() {
        // None of n: the upper limit has a closed form.
        let (low, high) = clopper_pearson(0, 200, 0.05);
        assert_eq!(low, 0.0);
        near(high, 1.0 - 0.025_f64.powf(1.0 / 200.0), 1e-9);
        let (low, high) = clopper_pearson(200, 200, 0.05);
        near(low, 0.025_f64.powf(1.0 / 200.0), 1e-9);
        assert_eq!(high, 1.0);
        // A textbook's 2 of 10.
        let (low, high) = clopper_pearson(2, 10, 0.05);
        near(low, 0.025_211, 1e-4);
        near(high, 0.556_095, 1e-4);
    }
}
