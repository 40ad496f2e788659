//! The moments at which a record changes hands. Only tests install a hook: they kill the process exactly there.

use perf_arena::DrainStep;

/// A place between two steps of the way from the ring to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Handoff {
    /// Records were copied to the staging area, which does not show them yet.
    Copied,
    /// The staging area shows them; the ring still does, too.
    Staged,
    /// The ring's room was given back.
    RingFreed,
    /// A chunk was encoded, and lies in ordinary memory.
    Encoded,
    /// The spool shows the chunk; so does the staging area.
    Spooled,
    /// The staging area is empty again.
    StagingCleared,
    /// The first half of a chunk is in the file.
    HalfWritten,
    /// The whole chunk is in the file, and still in the spool.
    Written,
    /// The spool's room was given back.
    SpoolFreed,
    /// A part of the capture is whole, and the next one has no file yet.
    PartEnded,
    /// The next part has its file, with nothing in it.
    PartCreated,
    /// A closed part is compressed, under another name.
    PartCompressed,
    /// The compressed part has its name, and the plain one is still there.
    PartRenamed,
}

impl Handoff {
    /// Every hand-off of a capture in one file, in the order in which a record meets them.
    pub const ALL: [Self; 9] = [
        Self::Copied,
        Self::Staged,
        Self::RingFreed,
        Self::Encoded,
        Self::Spooled,
        Self::StagingCleared,
        Self::HalfWritten,
        Self::Written,
        Self::SpoolFreed,
    ];

    /// Those that only captures of several parts have.
    pub const OF_PARTS: [Self; 2] = [Self::PartEnded, Self::PartCreated];

    /// Those of parts that are compressed.
    pub const OF_COMPRESSED: [Self; 2] = [Self::PartCompressed, Self::PartRenamed];
}

impl From<DrainStep> for Handoff {
    fn from(step: DrainStep) -> Self {
        match step {
            DrainStep::Copied => Self::Copied,
            DrainStep::Published => Self::Staged,
            DrainStep::Committed => Self::RingFreed,
        }
    }
}

/// What a test runs at each hand-off.
#[doc(hidden)]
pub type Hook = fn(Handoff);
