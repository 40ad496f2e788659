//! A rollup against a scan of its chunks, count for count.

use perf_format::{Aggregate, Coverage, Rollup, RollupChunk};

use crate::words::counted;

/// `2 chunks with 164 records`.
fn extent(coverage: &Coverage) -> String {
    format!(
        "{} with {}",
        counted(coverage.chunks, "chunk"),
        counted(coverage.rows, "record")
    )
}

/// What is wrong with the rollup of `chunk`, if `scanned` holds all the chunks that lie in its range.
/// With `sampled`, it may count more than these hold.
pub(super) fn compare(chunk: &RollupChunk<'_>, scanned: &Rollup, sampled: bool) -> Vec<String> {
    let stated = match chunk.rollup() {
        Ok(stated) => stated,
        Err(error) => return vec![error.to_string()],
    };
    let (covered, found) = (&stated.coverage, &scanned.coverage);
    if found.chunks < covered.chunks {
        return vec![format!(
            "it covers {}, of which {} can be read",
            extent(covered),
            extent(found)
        )];
    }
    if !same(covered, found) {
        return vec![format!(
            "it was made of {} that are not the {} in its range",
            extent(covered),
            extent(found)
        )];
    }
    let mut wrong = Vec::new();
    for (key, aggregate) in &stated.series {
        match scanned.series.get(key) {
            Some(found) if found == aggregate => {}
            Some(found) if sampled && holds(aggregate, found) => {}
            None if sampled => {}
            Some(found) => wrong.push(format!(
                "event {}: {}",
                key.event,
                difference(aggregate, found)
            )),
            None => wrong.push(format!(
                "event {}: {} records that no chunk has",
                key.event,
                aggregate.count()
            )),
        }
    }
    for (key, found) in scanned
        .series
        .iter()
        .filter(|(key, _)| !stated.series.contains_key(key))
    {
        wrong.push(format!(
            "event {}: {} records of the chunks are missing in it",
            key.event,
            found.count()
        ));
    }
    wrong
}

fn same(a: &Coverage, b: &Coverage) -> bool {
    (
        a.chunks,
        a.rows,
        a.digest,
        a.min_start,
        a.min_end,
        a.max_end,
    ) == (
        b.chunks,
        b.rows,
        b.digest,
        b.min_start,
        b.min_end,
        b.max_end,
    )
}

/// Whether what a scan found may be a part of what was counted.
fn holds(stated: &Aggregate, found: &Aggregate) -> bool {
    if let (Aggregate::Distribution(stated), Aggregate::Distribution(found)) = (stated, found) {
        let mut bins = found.nonempty();
        return bins.all(|(bin, count)| stated.counts().get(bin).is_some_and(|all| *all >= count));
    }
    stated.count() >= found.count()
}

fn difference(stated: &Aggregate, found: &Aggregate) -> String {
    if let (Aggregate::Distribution(stated), Aggregate::Distribution(found)) = (stated, found) {
        let bins = stated
            .nonempty()
            .chain(found.nonempty())
            .map(|(bin, _)| bin);
        let count = |counts: &[u64], bin: usize| counts.get(bin).copied().unwrap_or(0);
        let differs = |bin: &usize| count(stated.counts(), *bin) != count(found.counts(), *bin);
        if let Some(bin) = bins.filter(differs).min() {
            let low = perf_format::bins::low(bin);
            let (stated, found) = (count(stated.counts(), bin), count(found.counts(), bin));
            return format!(
                "the bin from {low} should count {found}, as a scan does, and counts {stated}"
            );
        }
    }
    let (stated, found) = (stated.count(), found.count());
    match stated == found {
        true => "its sum, minimum, maximum or times are not those of a scan".to_owned(),
        false => format!("it should count {found}, as a scan does, and counts {stated}"),
    }
}
