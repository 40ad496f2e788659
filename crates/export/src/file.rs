//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::Error;
use crate::form::{Out, Piece, Press, Sheet};
use crate::parquet_form::About;

/// How the names of files begin that are not whole yet.
pub(crate) const TEMPORARY_PREFIX: &str = ".perf-analyze-";

/// A file on its way: under another name until it is whole; gone if it never is.
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: Option<TempPath>,
    sheet: Sheet,
    pub(crate) rows: u64,
}

impl NewFile {
    /// Begins a file beside `path`; its directory is made if it is not there.
    pub(crate) fn create(path: PathBuf, press: &Press, about: &About) -> Result<Self, Error> {
        let (file, temporary) = temporary_beside(&path)?;
        let out: Out = Box::new(BufWriter::with_capacity(1 << 20, file));
        Ok(Self {
            sheet: press.open(about, out)?,
            path,
            temporary: Some(temporary),
            rows: 0,
        })
    }

    /// Begins standard output.
    pub(crate) fn stdout(press: &Press, about: &About) -> Result<Self, Error> {
        let out: Out = Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout()));
        Ok(Self {
            sheet: press.open(about, out)?,
            path: PathBuf::from("standard output"),
            temporary: None,
            rows: 0,
        })
    }

    pub(crate) fn append(&mut self, piece: Piece, rows: u64) -> Result<(), Error> {
        self.rows += rows;
        self.sheet.append(piece).map_err(Error::io(&self.path))
    }

    /// Ends the file and gives it its name. Returns that, with its bytes.
    pub(crate) fn finish(self) -> Result<(PathBuf, u64), Error> {
        let failed = Error::io(&self.path);
        self.sheet.finish().map_err(&failed)?;
        let Some(temporary) = self.temporary else {
            return Ok((self.path, 0));
        };
        let file = File::open(&temporary).map_err(&failed)?;
        file.sync_all().map_err(&failed)?;
        let bytes = file.metadata().map_err(&failed)?.len();
        temporary
            .persist(&self.path)
            .map_err(|error| failed(error.error))?;
        Ok((self.path, bytes))
    }
}

/// A new file in the directory of `path`, with the permissions that the user's mask leaves.
pub(crate) fn temporary_beside(path: &Path) -> Result<(File, TempPath), Error> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory).map_err(Error::io(directory))?;
    let make = |path: &Path| File::options().write(true).create_new(true).open(path);
    let made = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .make_in(directory, make);
    Ok(made.map_err(Error::io(directory))?.into_parts())
}
