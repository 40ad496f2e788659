//! Finding and opening captures.

mod arena;
mod compressed;
mod file;
mod find;
mod join;
mod source;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, ErrorKind};
use crate::report::CaptureState;
use crate::warning::{Warning, WarningKind};
pub(crate) use file::CaptureFile;
pub(crate) use find::io_error;
pub(crate) use join::Capture;
pub use join::Parts;

/// How to open.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Fail when any file cannot be read or holds damage, in place of a warning.
    pub strict: bool,
}

/// Captures, indexed and ready to be analysed. Files of one capture (parts of a rotated one, what a salvage saved, a
/// recovered copy) are joined.
#[derive(Debug)]
pub struct CaptureSet {
    captures: Vec<Capture>,
    warnings: Vec<Warning>,
}

impl CaptureSet {
    /// Opens files, directories (every `*.bin` and `*.bin.zst` inside) and globs, in the order given; what a directory or a
    /// glob yields is sorted by name. A file named twice is read once. Files that are still being written are
    /// read up to the length that they have now.
    ///
    /// # Errors
    /// When no file can be read, or with `strict` when any cannot or holds damage. Otherwise what cannot be read
    /// is left out with a warning.
    pub fn open(patterns: &[PathBuf], options: &OpenOptions) -> Result<Self, Error> {
        let found = find::find(patterns);
        let open =
            |path: Result<PathBuf, Error>| path.and_then(|path| open_even_if_compressed(&path));
        let opened: Vec<_> = match found.len() {
            // One file is the usual case, and starting threads costs more than reading its heads.
            0..2 => found.into_iter().map(open).collect(),
            _ => found.into_par_iter().map(open).collect(),
        };
        let mut files = Vec::new();
        let mut warnings = Vec::new();
        let mut first_error = None;
        for file in opened {
            match file {
                Ok(file) => files.push(file),
                Err(error) if options.strict => return Err(error),
                Err(error) => {
                    warnings.push(unreadable(&error));
                    first_error.get_or_insert(error);
                }
            }
        }
        if files.is_empty() {
            return Err(
                first_error.unwrap_or_else(|| Error::new(Path::new("."), ErrorKind::NoCaptures))
            );
        }
        let captures = join::join(files);
        for capture in &captures {
            let live = capture.state == CaptureState::Live;
            for file in &capture.files {
                if options.strict {
                    file.refuse_damage(live)?;
                }
                file.warn(live, &mut warnings);
            }
        }
        Ok(Self { captures, warnings })
    }

    /// What opening found: files left out, damage, torn tails.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Each capture as a set of its own. What opening found stays with the whole.
    pub(crate) fn singly(self) -> impl Iterator<Item = CaptureSet> {
        self.captures.into_iter().map(|capture| CaptureSet {
            captures: vec![capture],
            warnings: Vec::new(),
        })
    }

    pub(crate) fn captures(&self) -> &[Capture] {
        &self.captures
    }
}

/// Opens a file that its recorder may just be compressing.
fn open_even_if_compressed(path: &Path) -> Result<CaptureFile, Error> {
    CaptureFile::open(path).or_else(|error| match error.kind {
        ErrorKind::NotFound => CaptureFile::open(&find::compressed(path)).map_err(|_| error),
        _ => Err(error),
    })
}

fn unreadable(error: &Error) -> Warning {
    let capture = Some(error.path.display().to_string());
    Warning {
        capture,
        kind: WarningKind::Unreadable {
            error: error.to_string(),
        },
    }
}
