//! Random numbers that depend on a seed and a place alone, so that threads may share the work in any way.

/// A stream of random numbers: the `n`th is a hash of seed, stream and `n`.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    next: u64,
}

/// 2⁶⁴ over the golden ratio: steps by it never come close to where they were.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Stream {
    /// Stream `number` of `seed`.
    pub fn new(seed: u64, number: u64) -> Self {
        Self {
            key: mixed(mixed(seed).wrapping_add(number.wrapping_mul(GOLDEN))),
            next: 0,
        }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.next = self.next.wrapping_add(GOLDEN);
        mixed(self.key ^ self.next)
    }

    /// One of the numbers below `bound`, all alike to within 2⁻³².
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// Between 0 and 1, neither of them.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// A standard normal value (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, turn) = (self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A bijection that lets every bit bear on every other: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_seed_and_number() {
        let draw = |seed, number| -> Vec<u64> {
            let mut stream = Stream::new(seed, number);
            (0..8).map(|_| stream.bits()).collect()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 1));
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut stream = Stream::new(7, 0);
        let mut counts = [0_u32; 128];
        (0..128_000).for_each(|_| counts[stream.below(128)] += 1);
        // χ² of 127 degrees: mean 127, deviation 16.
        let chi: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!((60.0..210.0).contains(&chi), "{chi}");
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..100_000 {
            let value = stream.normal();
            sum += value;
            squares += value * value;
        }
        assert!((sum / 1e5).abs() < 0.02 && (squares / 1e5 - 1.0).abs() < 0.03);
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut items: Vec<u32> = (0..50).collect();
        Stream::new(1, 1).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
