//! Small codes of metadata records. They are newtypes, not Rust enums, so that a
//! code that this version does not know survives a round trip.

/// What kind of thing an event records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct EventKind(pub u8);

impl EventKind {
    /// A duration.
    pub const SPAN: EventKind = EventKind(1);
    /// A sum of deltas.
    pub const COUNTER: EventKind = EventKind(2);
    /// The last value of many.
    pub const GAUGE: EventKind = EventKind(3);
    /// A value of a distribution.
    pub const OBSERVATION: EventKind = EventKind(4);

    /// `span`, `counter`, `gauge`, `observation`, or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::SPAN => "span",
            EventKind::COUNTER => "counter",
            EventKind::GAUGE => "gauge",
            EventKind::OBSERVATION => "observation",
            _ => "unknown",
        }
    }
}

/// Which clock gave the ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct ClockSource(pub u16);

impl ClockSource {
    /// The processor's counter: x86-64's time stamp counter, aarch64's `CNTVCT_EL0`.
    pub const TSC: ClockSource = ClockSource(1);
    /// `clock_gettime(CLOCK_MONOTONIC)`, in ns.
    pub const MONOTONIC: ClockSource = ClockSource(2);
    /// A clock that a test or an importer made up.
    pub const SYNTHETIC: ClockSource = ClockSource(3);

    /// A short name, for people.
    pub fn name(self) -> &'static str {
        match self {
            ClockSource::TSC => "tsc",
            ClockSource::MONOTONIC => "monotonic",
            ClockSource::SYNTHETIC => "synthetic",
            _ => "unknown",
        }
    }
}

/// Why a capture ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct CloseReason(pub u16);

impl CloseReason {
    /// The recorder was stopped.
    pub const STOPPED: CloseReason = CloseReason(1);
    /// The process died; what it left was saved afterwards.
    pub const SALVAGED: CloseReason = CloseReason(2);
    /// The file is complete, the capture goes on in the next part.
    pub const ROTATED: CloseReason = CloseReason(3);
    /// Written by a tool, not recorded.
    pub const CONVERTED: CloseReason = CloseReason(4);
    /// The last seconds of a flight recorder, written because of a trigger; recording goes on.
    pub const SNAPSHOT: CloseReason = CloseReason(5);

    /// A short name, for people.
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::STOPPED => "stopped",
            CloseReason::SALVAGED => "salvaged",
            CloseReason::ROTATED => "rotated",
            CloseReason::CONVERTED => "converted",
            CloseReason::SNAPSHOT => "snapshot",
            _ => "unknown",
        }
    }
}

/// What the recorder warns of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct WarningCode(pub u16);

impl WarningCode {
    /// Shared memory was short: rings or spool are smaller than asked.
    pub const SMALL_MEMORY: WarningCode = WarningCode(1);
    /// The arena is anonymous memory: a killed process loses what was not yet in the file.
    pub const ANONYMOUS_ARENA: WarningCode = WarningCode(2);
    /// `fdatasync` failed.
    pub const SYNC_FAILED: WarningCode = WarningCode(3);
    /// Writing the file failed, and resumed later or not at all.
    pub const WRITE_FAILED: WarningCode = WarningCode(4);
    /// The clock was found to be unusable, or stepped; or spans ended before they began, and have the duration 0.
    pub const CLOCK: WarningCode = WarningCode(5);
    /// The event table is full: further names share the overflow event.
    pub const EVENTS_FULL: WarningCode = WarningCode(6);
    /// Part of a dead process's arena could not be read.
    pub const SALVAGE: WarningCode = WarningCode(7);
    /// Spans could not be tracked while open: no slot was free.
    pub const UNTRACKED_SPANS: WarningCode = WarningCode(8);
    /// The priority that was asked for the drainer was refused.
    pub const PRIORITY: WarningCode = WarningCode(9);
    /// A setting has not the effect that its name promises.
    pub const SETTINGS: WarningCode = WarningCode(10);
    /// Recording was switched off, or on again.
    pub const SWITCHED: WarningCode = WarningCode(11);
    /// The recorder cannot be controlled from outside.
    pub const CONTROL: WarningCode = WarningCode(12);
    /// Old parts of captures were deleted, as it was asked for.
    pub const RETENTION: WarningCode = WarningCode(13);
}
