//! Who is measured.

/// A library, as `perf-bench` knows it.
pub(crate) struct Subject {
    /// Its name on the command line and in the raw figures.
    pub(crate) name: &'static str,
    /// Its name in the tables.
    pub(crate) title: &'static str,
    /// What becomes of its spans.
    pub(crate) keeps: &'static str,
    /// Whether it writes every span to a file.
    pub(crate) has_file: bool,
}

impl Subject {
    /// Whether it is somebody else's.
    pub(crate) fn is_peer(&self) -> bool {
        ![READS, OURS].contains(&self.name)
    }
}

/// The name of this project's own recorder.
pub(crate) const OURS: &str = "ours";
/// The name of the two bare clock reads.
pub(crate) const READS: &str = "reads";

const fn subject(
    name: &'static str,
    title: &'static str,
    keeps: &'static str,
    has_file: bool,
) -> Subject {
    Subject {
        name,
        title,
        keeps,
        has_file,
    }
}

/// All of them, in the order of the tables.
pub(crate) const SUBJECTS: [Subject; 11] = [
    subject(READS, "two clock reads", "nothing", false),
    subject(OURS, "perf-probe", "file", true),
    subject(
        "micromegas",
        "micromegas-tracing",
        "file, blocks as they are",
        true,
    ),
    subject("measureme", "measureme", "file", true),
    subject("fastrace", "fastrace", "file, our reporter", true),
    subject("puffin", "puffin", "file, a frame every 10 ms", true),
    subject("lttng", "LTTng-UST", "file, by its daemon", true),
    subject("tracing-file", "tracing, file", "file, text", true),
    subject("tracing-registry", "tracing, registry", "nothing", false),
    subject("metrics", "metrics", "values, no spans", false),
    subject(
        "tracy",
        "tracy-client",
        "memory, until a profiler asks",
        false,
    ),
];

/// The subject of this name.
pub(crate) fn named(name: &str) -> Option<&'static Subject> {
    SUBJECTS.iter().find(|subject| subject.name == name)
}

/// Those to measure when only `only` is asked for: the clock reads and we are always among them, for comparison.
pub(crate) fn chosen(only: &[String]) -> impl Iterator<Item = &'static Subject> {
    SUBJECTS.iter().filter(move |subject| {
        only.is_empty()
            || [READS, OURS].contains(&subject.name)
            || only.iter().any(|name| name == subject.name)
    })
}
