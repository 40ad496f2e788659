//! Reproducible random numbers.

/// splitmix64: fast, and the same everywhere. Not for secrets.
///
/// Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Noise(seed)
    }

    /// The next 64 random bits.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless sequence needs no Option"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

/// Steps of the table of [`LogNormal`].
const STEPS: usize = 4096;

/// Factors e^(σ·z) with z normally distributed, by interpolation in a table of quantiles.
#[derive(Debug, Clone)]
pub(super) struct LogNormal {
    factors: Vec<f64>,
}

impl LogNormal {
    pub(super) fn new(sigma: f64) -> Self {
        // The ends stand for half a step: about ±3.7 σ.
        let quantile = |step: usize| (step as f64).clamp(0.5, STEPS as f64 - 0.5) / STEPS as f64;
        LogNormal {
            factors: (0..=STEPS)
                .map(|step| (sigma * inverse_normal(quantile(step))).exp())
                .collect(),
        }
    }

    /// A factor out of the upper 32 of `bits`.
    #[inline]
    pub(super) fn factor(&self, bits: u64) -> f64 {
        let step = (bits >> 52) as usize;
        let share = (bits >> 32 & 0xF_FFFF) as f64 / f64::from(1 << 20);
        let (low, high) = (self.factors[step], self.factors[step + 1]);
        low + (high - low) * share
    }
}

/// z of the standard normal distribution's quantile `p`, by bisection of the integral: slow and plain.
fn inverse_normal(p: f64) -> f64 {
    let (mut low, mut high) = (-6.0, 6.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if normal(middle) < p {
            low = middle
        } else {
            high = middle
        }
    }
    (low + high) / 2.0
}

/// The standard normal distribution function.
/// Source: Marsaglia, Evaluating the normal distribution, 2004 (the Taylor series).
fn normal(z: f64) -> f64 {
    let (mut term, mut sum, mut divisor) = (z, z, 1.0);
    while term.abs() > 1e-17 {
        divisor += 2.0;
        term *= z * z / divisor;
        sum += term;
    }
    0.5 + sum * (-0.5 * z * z - 0.918_938_533_204_672_8).exp()
}
