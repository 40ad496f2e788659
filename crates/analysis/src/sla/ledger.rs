//! What is added up about each rule. Adding and merging commute, so that the sums do not depend on who read what.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use perf_format::ThreadId;

use crate::report::Outcome;
use crate::report::timeline::SlotNumber;
use crate::warning::Warning;

/// A rule, and of a rule about traces the flow: numbers.
pub(super) type Account = (u32, u32);

/// What was seen of one account in one window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) samples: u64,
    /// Beyond the bound, or failures of an error rate.
    pub(super) beyond: u64,
    /// Open spans among these.
    pub(super) open: u64,
    /// In the unit of the rule; only of rules that need it.
    pub(super) sum: u128,
    /// In the unit of the rule.
    pub(super) worst: u64,
    /// Records among the samples that no capture kept, so that nobody knows on which side they stand. Below zero where more
    /// were kept for themselves than others stand for: see [`Tally::settled`].
    pub(super) unseen: i64,
    /// Records of which nothing else is known.
    pub(super) unknown: Unknown,
}

/// How many records nothing is known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Count(u64),
    /// Nobody knows how many.
    Endless,
}

impl Default for Unknown {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl Unknown {
    pub(super) fn add(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::Count(one), Self::Count(two)) => Self::Count(one.saturating_add(two)),
            _ => Self::Endless,
        };
    }
}

impl Tally {
    /// With no fewer samples than were seen: how many others stand for is an estimate.
    pub(super) fn settled(&self) -> Self {
        Self {
            samples: self
                .samples
                .saturating_add(self.unseen.min(0).unsigned_abs()),
            unseen: self.unseen.max(0),
            ..*self
        }
    }

    pub(super) fn add(&mut self, other: &Tally) {
        self.samples = self.samples.saturating_add(other.samples);
        self.beyond = self.beyond.saturating_add(other.beyond);
        self.open = self.open.saturating_add(other.open);
        self.sum = self.sum.saturating_add(other.sum);
        self.worst = self.worst.max(other.worst);
        self.unseen = self.unseen.saturating_add(other.unseen);
        self.unknown.add(other.unknown);
    }
}

/// A violation, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// In the unit of the rule.
    pub(super) value: u64,
    pub(super) end: i64,
    pub(super) start: i64,
    pub(super) slot: SlotNumber,
    pub(super) capture: u32,
    /// Where it was recorded: file, chunk and row; unlike any other's.
    pub(super) place: (u32, u32, u32),
    /// 0 is none.
    pub(super) trace: u64,
    pub(super) thread: Option<ThreadId>,
    pub(super) outcome: Option<Outcome>,
    pub(super) open: bool,
}

impl Kept {
    /// The greatest first.
    fn rank(&self) -> impl Ord + use<> {
        (
            Reverse(self.value),
            self.end,
            self.capture,
            self.place,
            self.trace,
            self.start,
        )
    }

    /// In the order of time.
    pub(super) fn time(&self) -> impl Ord + use<> {
        (self.end, self.capture, self.place, self.trace, self.start)
    }
}

/// The violations of one account.
#[derive(Debug, Clone, Default)]
pub(super) struct Violations {
    pub(super) count: u64,
    pub(super) kept: Vec<Kept>,
    /// By time of end divided by the gap: violations so close are always of one episode. To be settled before.
    pub(super) clusters: BTreeMap<i64, Cluster>,
    /// The cluster that the last violation belonged to: they come about in the order of time.
    filling: Option<Filling>,
    /// No lesser value has a place among the kept any more.
    floor: u64,
}

/// A cluster that is not among the others yet, of violations that ended from one time to before another.
#[derive(Debug, Clone, Copy)]
struct Filling {
    bucket: i64,
    from: i64,
    to: i64,
    cluster: Cluster,
}

/// Violations that end close to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) start: i64,
    pub(super) first_end: i64,
    pub(super) last_end: i64,
    pub(super) count: u64,
    pub(super) worst: u64,
}

impl Cluster {
    pub(super) fn add(&mut self, other: &Cluster) {
        self.start = self.start.min(other.start);
        self.first_end = self.first_end.min(other.first_end);
        self.last_end = self.last_end.max(other.last_end);
        self.count += other.count;
        self.worst = self.worst.max(other.worst);
    }
}

impl Violations {
    #[inline]
    fn push(&mut self, kept: Kept, gap: i64, keep: usize) {
        self.count += 1;
        let cluster = Cluster {
            start: kept.start,
            first_end: kept.end,
            last_end: kept.end,
            count: 1,
            worst: kept.value,
        };
        match &mut self.filling {
            Some(filling) if (filling.from..filling.to).contains(&kept.end) => {
                filling.cluster.add(&cluster);
            }
            _ => self.fill_next(cluster, gap),
        }
        if kept.value >= self.floor {
            self.keep(kept, keep);
        }
    }

    #[cold]
    fn fill_next(&mut self, cluster: Cluster, gap: i64) {
        self.settle();
        let bucket = cluster.last_end.div_euclid(gap);
        let from = bucket.saturating_mul(gap);
        self.filling = Some(Filling {
            bucket,
            from,
            to: from.saturating_add(gap),
            cluster,
        });
    }

    /// Puts the cluster that is being filled among the others.
    fn settle(&mut self) {
        if let Some(Filling {
            bucket, cluster, ..
        }) = self.filling.take()
        {
            self.add_cluster(bucket, cluster);
        }
    }

    fn add_cluster(&mut self, bucket: i64, cluster: Cluster) {
        match self.clusters.get_mut(&bucket) {
            Some(known) => known.add(&cluster),
            None => {
                self.clusters.insert(bucket, cluster);
            }
        }
    }

    fn keep(&mut self, kept: Kept, keep: usize) {
        self.kept.push(kept);
        // Now and then, so that the cost of each stays constant.
        if self.kept.len() >= keep.max(512).saturating_mul(2) {
            self.trim(keep);
        }
    }

    /// Keeps the `keep` greatest.
    fn trim(&mut self, keep: usize) {
        if self.kept.len() > keep {
            self.floor = u64::MAX;
            if keep > 0 {
                let (_, last, _) = self.kept.select_nth_unstable_by_key(keep - 1, Kept::rank);
                self.floor = last.value;
            }
            self.kept.truncate(keep);
        }
    }

    fn merge(&mut self, mut other: Violations, keep: usize) {
        other.settle();
        self.count += other.count;
        self.floor = self.floor.max(other.floor);
        self.kept.extend(other.kept);
        self.trim(keep);
        for (bucket, cluster) in other.clusters {
            self.add_cluster(bucket, cluster);
        }
    }
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) tallies: BTreeMap<(Account, SlotNumber), Tally>,
    pub(super) violations: BTreeMap<Account, Violations>,
    /// Records of which nothing is known, each once, in however many windows it may belong to.
    pub(super) unknown: BTreeMap<Account, Unknown>,
    /// By capture, file and chunk: what could not be read.
    pub(super) damage: BTreeMap<(usize, u32, u32), Warning>,
}

/// How a ledger keeps violations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    pub(super) gap: i64,
    /// How many of one account.
    pub(super) keep: usize,
}

impl Ledger {
    pub(super) fn tally(&mut self, account: Account, slot: SlotNumber, tally: &Tally) {
        self.tallies.entry((account, slot)).or_default().add(tally);
    }

    /// Adds records of which nothing is known, but that they ended in one of `slots`.
    pub(super) fn unknown(
        &mut self,
        account: Account,
        slots: impl IntoIterator<Item = SlotNumber>,
        unknown: Unknown,
    ) {
        let tally = Tally {
            unknown,
            ..Tally::default()
        };
        let mut slots = slots.into_iter().peekable();
        if slots.peek().is_some() {
            self.unknown.entry(account).or_default().add(unknown);
        }
        slots.for_each(|slot| self.tally(account, slot, &tally));
    }

    pub(super) fn violation(&mut self, account: Account, kept: Kept, keeping: Keeping) {
        let violations = self.violations.entry(account).or_default();
        violations.push(kept, keeping.gap, keeping.keep);
    }

    pub(super) fn merge(mut self, mut other: Ledger, keeping: Keeping) -> Ledger {
        if self.tallies.len() < other.tallies.len() {
            std::mem::swap(&mut self, &mut other);
        }
        for ((account, slot), tally) in other.tallies {
            self.tally(account, slot, &tally);
        }
        for (account, violations) in other.violations {
            let mine = self.violations.entry(account).or_default();
            mine.merge(violations, keeping.keep);
        }
        for (account, unknown) in other.unknown {
            self.unknown.entry(account).or_default().add(unknown);
        }
        self.damage.extend(other.damage);
        self
    }

    /// The same under other names of accounts; what gets one name is added up.
    pub(super) fn renamed(self, keeping: Keeping, name: impl Fn(Account) -> Account) -> Ledger {
        let mut renamed = Ledger {
            damage: self.damage,
            ..Ledger::default()
        };
        for ((account, slot), tally) in self.tallies {
            renamed.tally(name(account), slot, &tally);
        }
        for (account, violations) in self.violations {
            let mine = renamed.violations.entry(name(account)).or_default();
            mine.merge(violations, keeping.keep);
        }
        for (account, unknown) in self.unknown {
            renamed
                .unknown
                .entry(name(account))
                .or_default()
                .add(unknown);
        }
        renamed
    }

    /// Ends the reading.
    pub(super) fn finish(&mut self, keeping: Keeping) {
        for violations in self.violations.values_mut() {
            violations.settle();
            violations.trim(keeping.keep);
            violations.kept.sort_unstable_by_key(Kept::time);
        }
    }
}
