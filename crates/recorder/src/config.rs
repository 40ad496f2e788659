//! Settings from a YAML file: the seed system's keys, and below `recorder` what the builder can do besides.
//!
//! What each key means stands in the crate's documentation.

mod apply;
mod flight;
mod keys;
mod value;

use std::collections::HashMap;
use std::path::Path;
use std::{env, fs};

use crate::builder::Builder;
use crate::error::{ConfigError, StartError};
use crate::recorder::Recorder;

use self::value::Wrong;

/// Bytes of a configuration file that are read, at most.
const MAX_BYTES: u64 = 1 << 20;

impl Builder {
    /// The settings of a YAML file; `None` if it says `enabled: false`. See [the table](crate#without-a-rebuild).
    ///
    /// # Errors
    /// The file cannot be read; what is wrong in it, with line and column.
    pub fn from_config(path: impl AsRef<Path>) -> Result<Option<Self>, ConfigError> {
        let path = path.as_ref();
        let text = read(path)?;
        let variables = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        from_text(&text, variables).map_err(|wrong| ConfigError::Wrong {
            path: path.into(),
            message: wrong.0,
        })
    }
}

impl Recorder {
    /// Starts what a YAML file asks for; `None` if it says `enabled: false`.
    ///
    /// # Errors
    /// The file cannot be used, or the recorder does not start.
    pub fn from_config(path: impl AsRef<Path>) -> Result<Option<Self>, StartError> {
        Builder::from_config(path)?.map(Builder::start).transpose()
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.into(),
        source,
    };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_BYTES {
        return Err(ConfigError::Wrong {
            path: path.into(),
            message: format!(
                "is {bytes} bytes long, which is more than a configuration of {MAX_BYTES}"
            ),
        });
    }
    fs::read_to_string(path).map_err(failed)
}

/// What the text of a file asks for, with these variables in the environment.
fn from_text(text: &str, variables: HashMap<String, String>) -> Result<Option<Builder>, Wrong> {
    if text.trim().is_empty() {
        return Ok(Some(Builder::default()));
    }
    let options = serde_saphyr::options! { with_snippet: false }.with_properties(variables);
    let file: keys::File =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| Wrong::of(&error))?;
    apply::apply(file.metrics.unwrap_or_default())
}

#[cfg(test)]
mod tests;
