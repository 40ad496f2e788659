//! What a layer is to capture.

/// Choices of a [`Layer`](crate::Layer).
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) keys: Vec<String>,
    pub(crate) targets: bool,
    pub(crate) busy: bool,
    pub(crate) marks: bool,
    pub(crate) errors_of_events: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            targets: false,
            busy: false,
            marks: true,
            errors_of_events: true,
        }
    }
}
