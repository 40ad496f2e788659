//! FORMAT.md, "Rollup chunk": read, and made anew from rows.

use std::collections::BTreeMap;

use super::events::Events;
use super::file::{Head, needed_column};
use super::numbers::{Bytes, Result, mix};

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rollup {
    pub(super) first_chunk: u64,
    pub(super) last_chunk: u64,
    pub(super) chunks: u64,
    pub(super) rows: u64,
    pub(super) digest: u64,
    /// By event and tag.
    pub(super) series: BTreeMap<(u32, u8), Summary>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Summary {
    Distribution(Distribution),
    Counter(Counter),
    Gauge(Gauge),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Distribution {
    pub(super) count: u64,
    pub(super) sum: u128,
    pub(super) min: u64,
    pub(super) max: u64,
    /// Bins that are not empty.
    pub(super) bins: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counter {
    pub(super) count: u64,
    pub(super) sum: i128,
    pub(super) min: i64,
    pub(super) max: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Gauge {
    pub(super) count: u64,
    pub(super) sum: i128,
    pub(super) min: i64,
    pub(super) max: i64,
    pub(super) first: (u64, i64),
    pub(super) last: (u64, i64),
    pub(super) integral: i128,
}

/// The bin of a value.
pub(super) fn bin(value: u64) -> u64 {
    let mut k = 0;
    let mut top = value;
    while top >= 2048 {
        top /= 2;
        k += 1;
    }
    1024 * k + top
}

/// The smallest and the largest value of a bin.
pub(super) fn bounds(bin: u64) -> (u64, u64) {
    if bin < 2048 {
        return (bin, bin);
    }
    let k = bin / 1024 - 1;
    let low = (bin - 1024 * k) << k;
    (low, low + ((1 << k) - 1))
}

impl Rollup {
    pub(super) fn read(head: &Head, body: &[u8]) -> Result<Rollup> {
        let mut tables = Bytes::new(&head.tables);
        let mut rollup = Rollup {
            first_chunk: tables.u64()?,
            last_chunk: tables.u64()?,
            chunks: tables.u64()?,
            rows: tables.u64()?,
            digest: tables.u64()?,
            series: BTreeMap::new(),
        };
        let mut summaries = Bytes::new(needed_column(head, body, 32, 0)?);
        let mut indexes = Bytes::new(needed_column(head, body, 33, 1)?);
        let mut counts = Bytes::new(needed_column(head, body, 34, 1)?);
        for _ in 0..head.records {
            let mut entry = Bytes::new(summaries.take(104)?);
            let key = (entry.u32()?, entry.u8()?);
            entry.take(3)?;
            let summary = match key.1 {
                1..=4 | 10 => {
                    Summary::Distribution(distribution(&mut entry, &mut indexes, &mut counts)?)
                }
                8 => Summary::Counter(Counter {
                    count: entry.u64()?,
                    sum: entry.i128()?,
                    min: entry.i64()?,
                    max: entry.i64()?,
                }),
                9 => Summary::Gauge(gauge(&mut entry)?),
                _ => {
                    // Not known, and its bins with it.
                    entry.take(8 + 16 + 8 + 8)?;
                    let number = bins(&mut entry)?;
                    indexes.packed(number)?;
                    counts.packed(number)?;
                    continue;
                }
            };
            if rollup.series.insert(key, summary).is_some() {
                return Err("a series twice".to_owned());
            }
        }
        summaries.end()?;
        indexes.end()?;
        counts.end()?;
        Ok(rollup)
    }

    /// What the rollup of `chunks` should be.
    pub(super) fn of<'a>(chunks: impl Iterator<Item = (&'a Head, &'a Events)>) -> Rollup {
        let mut rollup = Rollup::default();
        for (head, events) in chunks {
            if rollup.chunks == 0 {
                rollup.first_chunk = head.chunk_seq;
            }
            rollup.last_chunk = head.chunk_seq;
            rollup.chunks += 1;
            rollup.rows += u64::from(head.records);
            let digest = mix(head.chunk_seq ^ u64::from(head.crc) << 32);
            rollup.digest = rollup.digest.wrapping_add(digest);
            let mut rows: Vec<_> = events.rows.iter().collect();
            // Gauges are taken in the order of their ticks; the others do not mind.
            rows.sort_by_key(|row| row.end);
            for row in rows {
                rollup.add(row.event, row.tag, row.end, row.value);
            }
        }
        rollup
    }

    fn add(&mut self, event: u32, tag: u8, end: u64, value: u64) {
        let empty = match tag {
            1..=4 | 10 => Summary::Distribution(Distribution {
                min: value,
                ..Distribution::default()
            }),
            8 => Summary::Counter(Counter {
                min: i64::MAX,
                max: i64::MIN,
                ..Counter::default()
            }),
            9 => Summary::Gauge(Gauge {
                min: i64::MAX,
                max: i64::MIN,
                first: (end, value as i64),
                ..Gauge::default()
            }),
            _ => return,
        };
        match self.series.entry((event, tag)).or_insert(empty) {
            Summary::Distribution(all) => {
                all.count += 1;
                all.sum += u128::from(value);
                all.min = all.min.min(value);
                all.max = all.max.max(value);
                *all.bins.entry(bin(value)).or_default() += 1;
            }
            Summary::Counter(all) => {
                let delta = value as i64;
                all.count += 1;
                all.sum += i128::from(delta);
                all.min = all.min.min(delta);
                all.max = all.max.max(delta);
            }
            Summary::Gauge(all) => {
                let value = value as i64;
                if all.count > 0 {
                    let ticks = i128::from(end) - i128::from(all.last.0);
                    let held = i128::from(all.last.1).saturating_mul(ticks);
                    all.integral = all.integral.saturating_add(held);
                }
                all.count += 1;
                all.sum += i128::from(value);
                all.min = all.min.min(value);
                all.max = all.max.max(value);
                all.last = (end, value);
            }
        }
    }
}

/// How many bins of a summary are not empty.
fn bins(entry: &mut Bytes<'_>) -> Result<usize> {
    match entry.u32()? {
        number @ 0..=56_320 => Ok(number as usize),
        number => Err(format!("{number} bins")),
    }
}

fn distribution(
    entry: &mut Bytes<'_>,
    indexes: &mut Bytes<'_>,
    counts: &mut Bytes<'_>,
) -> Result<Distribution> {
    let mut all = Distribution {
        count: entry.u64()?,
        sum: entry.u128()?,
        min: entry.u64()?,
        max: entry.u64()?,
        bins: BTreeMap::new(),
    };
    let number = bins(entry)?;
    let mut next = 0;
    for (empty, count) in indexes
        .packed(number)?
        .into_iter()
        .zip(counts.packed(number)?)
    {
        let bin = next + empty;
        all.bins.insert(bin, count);
        next = bin + 1;
    }
    let counted: u64 = all.bins.values().sum();
    let is_sound = counted == all.count
        && all.bins.values().all(|count| *count > 0)
        && (all.count == 0 || (all.bins.contains_key(&bin(all.min)) && next == bin(all.max) + 1));
    if !is_sound {
        return Err(format!("bins that do not fit: {all:?}"));
    }
    Ok(all)
}

fn gauge(entry: &mut Bytes<'_>) -> Result<Gauge> {
    let (count, sum) = (entry.u64()?, entry.i128()?);
    let (min, max) = (entry.i64()?, entry.i64()?);
    entry.take(8)?;
    Ok(Gauge {
        count,
        sum,
        min,
        max,
        first: (entry.u64()?, entry.i64()?),
        last: (entry.u64()?, entry.i64()?),
        integral: entry.i128()?,
    })
}
