//! The market: symbols, candles, and a seeded random walk that makes them.

/// Prices are whole points (a hundredth of a cent, say), so that sums are exact.
pub(crate) type Points = i64;

pub(crate) const SYMBOLS: [(&str, Points); 6] = [
    ("EURUSD", 108_500),
    ("GBPUSD", 127_300),
    ("USDJPY", 149_800),
    ("XAUUSD", 264_100),
    ("BTCUSD", 912_000),
    ("ETHUSD", 318_400),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candle {
    /// When the candle closed, ns since 1970.
    pub(crate) close_unix_ns: i64,
    pub(crate) open: Points,
    pub(crate) high: Points,
    pub(crate) low: Points,
    pub(crate) close: Points,
    pub(crate) volume: u64,
}

impl Candle {
    pub(crate) fn is_bullish(&self) -> bool {
        self.close > self.open
    }

    pub(crate) fn body(&self) -> Points {
        (self.close - self.open).abs()
    }

    /// The candle as the feed sends it: `symbol,close_ns,open,high,low,close,volume`.
    pub(crate) fn to_line(self, symbol: &str) -> String {
        let Self {
            close_unix_ns,
            open,
            high,
            low,
            close,
            volume,
        } = self;
        format!("{symbol},{close_unix_ns},{open},{high},{low},{close},{volume}")
    }

    /// Reads a line of the feed. `None` if it is malformed or no candle could look like that.
    pub(crate) fn parse(line: &str) -> Option<(&str, Self)> {
        let mut fields = line.split(',');
        let symbol = fields.next()?;
        let mut number = || fields.next()?.parse::<i64>().ok();
        let candle = Self {
            close_unix_ns: number()?,
            open: number()?,
            high: number()?,
            low: number()?,
            close: number()?,
            volume: u64::try_from(number()?).ok()?,
        };
        let body = candle.open.min(candle.close)..=candle.open.max(candle.close);
        (candle.low <= *body.start() && candle.high >= *body.end()).then_some((symbol, candle))
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to draw a market.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`; the bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// Roughly normal with mean 0 and standard deviation 1: the sum of twelve uniform numbers, less six.
    pub(crate) fn normal(&mut self) -> f64 {
        let sum: f64 = (0..12)
            .map(|_| (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
            .sum();
        sum - 6.0
    }
}

/// One symbol's random walk. Calm most of the time; now and then an impulse of a few candles, which is what
/// leaves fair-value gaps behind.
pub(crate) struct Walk {
    rng: Rng,
    price: Points,
    volatility: f64,
    impulse_left: u32,
    drift: f64,
}

impl Walk {
    pub(crate) fn new(seed: u64, start: Points) -> Self {
        Self {
            rng: Rng::new(seed),
            price: start,
            volatility: start as f64 / 4_000.0,
            impulse_left: 0,
            drift: 0.0,
        }
    }

    pub(crate) fn next_candle(&mut self, close_unix_ns: i64) -> Candle {
        if self.impulse_left > 0 {
            self.impulse_left -= 1;
        } else if self.rng.below(24) == 0 {
            self.impulse_left = 2 + self.rng.below(3) as u32;
            let sign = if self.rng.below(2) == 0 { 1.0 } else { -1.0 };
            self.drift = sign * self.volatility * 0.9;
        } else {
            self.drift = 0.0;
        }
        let open = self.price;
        let (mut high, mut low) = (open, open);
        // Eight trades make a candle.
        for _ in 0..8 {
            let step = self.rng.normal() * self.volatility / 4.0 + self.drift / 4.0;
            // A floor, so that no walk of any length ends below zero.
            self.price = (self.price + step.round() as Points).max(1_000);
            high = high.max(self.price);
            low = low.min(self.price);
        }
        let volume = 100 + self.rng.below(900) + if self.drift == 0.0 { 0 } else { 1_500 };
        Candle {
            close_unix_ns,
            open,
            high,
            low,
            close: self.price,
            volume,
        }
    }
}
