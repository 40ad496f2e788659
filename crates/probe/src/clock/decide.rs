//! Which clock, and why.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::os;

/// Where ticks come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Source {
    /// x86's time-stamp counter.
    Tsc,
    /// aarch64's virtual counter.
    Cntvct,
    /// `CLOCK_MONOTONIC_RAW`, in nanoseconds.
    MonotonicRaw,
    /// `CLOCK_MONOTONIC`, in nanoseconds: where the kernel has no raw one.
    Monotonic,
}

/// Why a clock was chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The counter is invariant, and the kernel counts it among its clock sources.
    CounterTrusted,
    /// CPUID does not say that the counter runs at one rate.
    NotInvariant,
    /// The kernel does not list the counter; this is what it lists.
    NotListed(String),
    /// The kernel's list cannot be read (`/sys` is not mounted, for one).
    ListUnreadable(std::io::ErrorKind),
    /// `prctl(PR_SET_TSC)` forbids `rdtsc` in this process.
    Forbidden,
    /// A machine whose counter we do not know.
    UnknownMachine,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CounterTrusted => {
                formatter.write_str("the counter is invariant and the kernel lists it")
            }
            Self::NotInvariant => formatter.write_str("CPUID does not call the counter invariant"),
            Self::NotListed(list) => write!(
                formatter,
                "the kernel does not list the counter, only: {list}"
            ),
            Self::ListUnreadable(kind) => write!(
                formatter,
                "the kernel's clock sources cannot be read: {kind}"
            ),
            Self::Forbidden => formatter.write_str("prctl(PR_SET_TSC) forbids reading the counter"),
            Self::UnknownMachine => formatter.write_str("this machine's counter is not known"),
        }
    }
}

/// A clock and why it was chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The clock.
    pub source: Source,
    /// Why.
    pub reason: Reason,
}

/// What the decision rests on. A value, so that tests can make every machine up.
struct Facts {
    /// The machine's counter, if we know it, and the name under which the kernel lists it.
    counter: Option<(Source, &'static str)>,
    invariant: bool,
    allowed: bool,
    listed: Result<String, std::io::ErrorKind>,
    has_monotonic_raw: bool,
}

impl Facts {
    fn gather() -> Self {
        const LIST: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
        Self {
            counter: if cfg!(target_arch = "x86_64") {
                Some((Source::Tsc, "tsc"))
            } else if cfg!(target_arch = "aarch64") {
                Some((Source::Cntvct, "arch_sys_counter"))
            } else {
                None
            },
            invariant: os::counter_is_invariant(),
            allowed: os::counter_is_allowed(),
            listed: std::fs::read_to_string(LIST).map_err(|error| error.kind()),
            has_monotonic_raw: os::nanos(libc::CLOCK_MONOTONIC_RAW) != 0,
        }
    }

    fn decide(self) -> Status {
        let fallback = if self.has_monotonic_raw {
            Source::MonotonicRaw
        } else {
            Source::Monotonic
        };
        let refuse = |reason| Status {
            source: fallback,
            reason,
        };
        let Some((counter, name)) = self.counter else {
            return refuse(Reason::UnknownMachine);
        };
        if !self.invariant {
            return refuse(Reason::NotInvariant);
        }
        if !self.allowed {
            return refuse(Reason::Forbidden);
        }
        match self.listed {
            Err(kind) => refuse(Reason::ListUnreadable(kind)),
            Ok(list) if list.split_whitespace().any(|listed| listed == name) => Status {
                source: counter,
                reason: Reason::CounterTrusted,
            },
            Ok(list) => refuse(Reason::NotListed(list.trim().to_owned())),
        }
    }
}

/// What was decided, kept for good. No `OnceLock`: a fork in the midst of the first call would leave the child waiting for a
/// thread that it does not have.
static STATUS: AtomicPtr<Status> = AtomicPtr::new(ptr::null_mut());

/// The clock of this process and the reason for it. Decided once, at the first call, and kept: records of two
/// clocks in one capture would not compare.
pub fn status() -> &'static Status {
    let decided = STATUS.load(Ordering::Acquire);
    // SAFETY: null, or a box that was leaked below.
    if let Some(decided) = unsafe { decided.as_ref() } {
        return decided;
    }
    let mine = Box::leak(Box::new(Facts::gather().decide()));
    match STATUS.compare_exchange(ptr::null_mut(), mine, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => mine,
        // Another thread was quicker, and mine is lost: a few bytes, once. All go by the same.
        // SAFETY: as above.
        Err(theirs) => unsafe { &*theirs },
    }
}

/// What would be decided now. The recorder asks at each anchor: a kernel that has stopped to trust the counter
/// takes it from its list, and the capture then says so. Reads a file; never on the hot path.
pub fn recheck() -> Status {
    Facts::gather().decide()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            counter: Some((Source::Tsc, "tsc")),
            invariant: true,
            allowed: true,
            listed: Ok("kvm-clock tsc acpi_pm \n".to_owned()),
            has_monotonic_raw: true,
        }
    }

    #[test]
    fn a_listed_invariant_counter_is_used() {
        assert_eq!(
            good().decide(),
            Status {
                source: Source::Tsc,
                reason: Reason::CounterTrusted
            }
        );
    }

    #[test]
    fn every_doubt_falls_back_and_says_why() {
        let doubts = [
            (
                Facts {
                    counter: None,
                    ..good()
                },
                Reason::UnknownMachine,
            ),
            (
                Facts {
                    invariant: false,
                    ..good()
                },
                Reason::NotInvariant,
            ),
            (
                Facts {
                    allowed: false,
                    ..good()
                },
                Reason::Forbidden,
            ),
            (
                Facts {
                    listed: Ok("hpet tsc-early\n".to_owned()),
                    ..good()
                },
                Reason::NotListed("hpet tsc-early".to_owned()),
            ),
            (
                Facts {
                    listed: Err(std::io::ErrorKind::NotFound),
                    ..good()
                },
                Reason::ListUnreadable(std::io::ErrorKind::NotFound),
            ),
        ];
        for (facts, reason) in doubts {
            assert_eq!(
                facts.decide(),
                Status {
                    source: Source::MonotonicRaw,
                    reason
                }
            );
        }
        let old_kernel = Facts {
            invariant: false,
            has_monotonic_raw: false,
            ..good()
        };
        assert_eq!(old_kernel.decide().source, Source::Monotonic);
    }

    #[test]
    fn the_decision_stands() {
        assert_eq!(*status(), recheck());
        assert!(!status().reason.to_string().is_empty());
    }
}
