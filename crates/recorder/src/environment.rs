//! Settings from the environment: a recorder that is turned on without a rebuild.

use std::env;
use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::{ConfigError, StartError};
use crate::labels;
use crate::recorder::Recorder;

/// Where to record.
const CAPTURE: &str = "PERF_CAPTURE";
/// The file with all settings.
const CONFIG: &str = "PERF_CONFIG";
/// What to note in the capture, beside what the file says.
const LABELS: &str = "PERF_LABELS";

/// Whether recorders can be controlled from outside: `0` turns that off.
const CONTROL: &str = "PERF_CONTROL";

/// What the environment says of control from outside.
pub(crate) fn allows_control() -> bool {
    env::var_os(CONTROL).is_none_or(|value| value != "0")
}

impl Builder {
    /// What `PERF_CONFIG` and `PERF_CAPTURE` ask for; `None` if neither is set, or if the file says `enabled: false`. A variable
    /// with nothing in it counts as not set. `PERF_LABELS=version=1.4.2,env=prod` adds labels to what the two ask for, and
    /// goes before the file where both have one.
    ///
    /// # Errors
    /// The file that `PERF_CONFIG` names, or the text of `PERF_LABELS`, cannot be used.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let capture = variable(CAPTURE);
        let builder = match variable(CONFIG) {
            Some(path) => from_file(&path)?,
            None => capture.as_ref().map(|_| Self::default()),
        };
        let builder = match (builder, capture) {
            (Some(builder), Some(path)) => Some(builder.capture(path)),
            (builder, _) => builder,
        };
        builder.map(Self::with_labels_of_environment).transpose()
    }

    fn with_labels_of_environment(mut self) -> Result<Self, ConfigError> {
        let Some(text) = env::var_os(LABELS) else {
            return Ok(self);
        };
        let wrong = |message| ConfigError::Labels { message };
        let text = text.to_str().ok_or_else(|| wrong("not UTF-8".to_owned()))?;
        for (key, value) in labels::parse(text).map_err(wrong)? {
            self.settings.labels.retain(|(known, _)| *known != key);
            self = self.label(key, value);
        }
        Ok(self)
    }
}

impl Recorder {
    /// Starts what the environment asks for; `None`, and nothing was done, if it asks for nothing. See [`Builder::from_env`]
    /// for a program that adds to it.
    ///
    /// # Errors
    /// The file that `PERF_CONFIG` names or the text of `PERF_LABELS` cannot be used, or the recorder does not start.
    pub fn from_env() -> Result<Option<Self>, StartError> {
        Builder::from_env()?.map(Builder::start).transpose()
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[cfg(feature = "config")]
fn from_file(path: &Path) -> Result<Option<Builder>, ConfigError> {
    Builder::from_config(path)
}

#[cfg(not(feature = "config"))]
fn from_file(path: &Path) -> Result<Option<Builder>, ConfigError> {
    Err(ConfigError::NotBuiltIn { path: path.into() })
}
