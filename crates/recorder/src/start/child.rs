//! What the settings ask for besides, and what of them the child of a fork takes.

use crate::builder::{Builder, Destination, Settings};
use crate::error::StartError;
use crate::recorder::Recorder;
use crate::{environment, path};

impl Settings {
    pub(super) fn is_controlled(&self) -> bool {
        let usual = self.install && self.path.is_some();
        self.control
            .unwrap_or_else(|| usual && environment::allows_control())
    }

    /// Starts, in the child of a fork, a recorder like the parent's, but for its file. The probes install it.
    pub(crate) fn start_in_child(self) -> Result<Recorder, StartError> {
        let path = self
            .path
            .as_deref()
            .map(path::for_child)
            .ok_or(StartError::NoDestination)?;
        let settings = Settings {
            install: false,
            // The probes install it.
            control: Some(self.control.unwrap_or_else(environment::allows_control)),
            path: Some(path.clone()),
            ..self
        };
        super::start(Builder {
            destination: Destination::Path(path),
            settings,
        })
    }
}
