//! Where the rows of a table go: one file a capture, or one in each directory of a partition.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use perf_analysis::records::Names;
use perf_analysis::report::CaptureSummary;

use crate::batch::is_partitioned;
use crate::dictionary::Dictionaries;
use crate::error::Error;
use crate::file::NewFile;
use crate::form::{Piece, Press};
use crate::frame::{Frame, Values};
use crate::options::{Options, Output, PartitionKey};
use crate::parquet_form::About;
use crate::run::WrittenTable;
use crate::table::Table;
use crate::text_form::date;

/// Files that may be open at once.
const MAX_PARTITIONS: usize = 400;
/// Rows that wait for their partition's next row group, over all partitions.
const MAX_WAITING_ROWS: usize = 1 << 20;
const NS_A_DAY: i64 = 86_400_000_000_000;

/// The rows of one table on their way to files.
pub(crate) struct Place<'a> {
    pub(crate) press: Press,
    options: &'a Options,
    names: &'a Names,
    dictionaries: &'a Dictionaries,
    /// By capture: what its files are called, and what they tell of themselves.
    captures: Vec<(String, About)>,
    /// By path: files that are being written, and rows that wait for them.
    files: BTreeMap<PathBuf, (Option<NewFile>, Option<Frame>)>,
    waiting: usize,
    /// Of the capture whose rows come now; the files of another are finished.
    current: usize,
    written: BTreeSet<PathBuf>,
    pub(crate) report: WrittenTable,
}

impl<'a> Place<'a> {
    pub(crate) fn new(
        press: Press,
        options: &'a Options,
        (names, dictionaries): (&'a Names, &'a Dictionaries),
        captures: &[CaptureSummary],
    ) -> Self {
        let captures = captures
            .iter()
            .map(|capture| (file_name(capture), about(capture)));
        Self {
            report: WrittenTable::new(press.shape.table),
            press,
            options,
            names,
            dictionaries,
            captures: captures.collect(),
            files: BTreeMap::new(),
            waiting: 0,
            current: 0,
            written: BTreeSet::new(),
        }
    }

    /// Whether rows are to be handed over as they are, and not as a piece.
    pub(crate) fn wants_frames(&self) -> bool {
        is_partitioned(self.press.shape.table, self.options)
    }

    /// Takes rows of a capture that were encoded already.
    pub(crate) fn take_piece(
        &mut self,
        capture: usize,
        piece: Piece,
        rows: u64,
    ) -> Result<(), Error> {
        self.enter(capture)?;
        let path = self.path(&self.captures[capture].0, &[]);
        self.file(&path, capture)?.append(piece, rows)
    }

    /// Takes rows of a capture. They are parted, and wait until they make a row group.
    pub(crate) fn take_frame(&mut self, capture: usize, mut frame: Frame) -> Result<(), Error> {
        self.enter(capture)?;
        if !self.wants_frames() {
            let rows = frame.len() as u64;
            let piece = self.press.press(&mut frame, self.dictionaries)?;
            return self.take_piece(capture, piece, rows);
        }
        for (key, places) in self.parted(&frame) {
            let path = self.path(&self.captures[capture].0, &self.directories(capture, key));
            let mine = frame.picked(&places);
            self.waiting += mine.len();
            let count = self.files.len();
            let (_, waiting) = self.files.entry(path).or_default();
            match waiting {
                Some(waiting) => waiting.append(mine),
                None => *waiting = Some(mine),
            }
            if count > MAX_PARTITIONS {
                return Err(Error::TooManyPartitions {
                    limit: MAX_PARTITIONS,
                });
            }
        }
        while self.waiting > MAX_WAITING_ROWS {
            let rows = |frame: &Option<Frame>| frame.as_ref().map_or(0, Frame::len);
            let fullest = self.files.iter().max_by_key(|(_, (_, frame))| rows(frame));
            let Some(path) = fullest.map(|(path, _)| path.clone()) else {
                break;
            };
            self.flush(&path)?;
        }
        Ok(())
    }

    /// Day and event of rows, with the places of those.
    fn parted(&self, frame: &Frame) -> BTreeMap<(i64, u32), Vec<u32>> {
        let by = |key| self.options.partition_by.contains(&key);
        let (by_date, by_event) = (by(PartitionKey::Date), by(PartitionKey::Event));
        let column = |name| {
            let columns = frame.table.columns().iter();
            let place = { columns }.position(|column| column.name == name);
            place.map(|at| &frame.columns[at])
        };
        let (times, durations, events) =
            (&frame.columns[0], column("duration_ns"), column("event"));
        let mut parted: BTreeMap<(i64, u32), Vec<u32>> = BTreeMap::new();
        for row in 0..frame.len() {
            let day = match (by_date, times, durations) {
                (true, Values::Int(starts), Some(Values::Int(durations))) => starts[row]
                    .saturating_add(durations[row])
                    .div_euclid(NS_A_DAY),
                (true, Values::Int(times), _) => times[row].div_euclid(NS_A_DAY),
                _ => 0,
            };
            let event = match (by_event, events) {
                (true, Some(Values::Name(events))) => events[row],
                _ => 0,
            };
            parted.entry((day, event)).or_default().push(row as u32);
        }
        parted
    }

    fn directories(&self, capture: usize, (day, event): (i64, u32)) -> Vec<String> {
        let host = self.dictionaries.host_of[capture] as usize;
        let value = |key| match key {
            PartitionKey::Date => date(day),
            PartitionKey::Host => escaped(&self.dictionaries.hosts[host]),
            PartitionKey::Event => escaped(&self.names.events()[event as usize].name),
        };
        let keys = self.options.partition_by.iter();
        keys.map(|key| format!("{}={}", key.name(), value(*key)))
            .collect()
    }

    fn path(&self, file: &str, directories: &[String]) -> PathBuf {
        let Output::Directory(directory) = &self.options.output else {
            return PathBuf::new();
        };
        let mut path = directory.join(self.press.shape.table.name());
        path.extend(directories);
        path.join(format!("{file}.{}", self.options.form.extension()))
    }

    /// The files of a capture are finished when rows of the next one come.
    fn enter(&mut self, capture: usize) -> Result<(), Error> {
        if capture != self.current && self.options.output != Output::Stdout {
            self.finish_files()?;
        }
        self.current = capture;
        Ok(())
    }

    fn file(&mut self, path: &Path, capture: usize) -> Result<&mut NewFile, Error> {
        let (file, _) = self.files.entry(path.to_owned()).or_default();
        if file.is_none() {
            let about = &self.captures[capture].1;
            *file = Some(match self.options.output {
                Output::Stdout => NewFile::stdout(&self.press, about)?,
                Output::Directory(_) => NewFile::create(path.to_owned(), &self.press, about)?,
            });
        }
        Ok(file
            .as_mut()
            .unwrap_or_else(|| unreachable!("it was just made")))
    }

    fn flush(&mut self, path: &Path) -> Result<(), Error> {
        let waiting = self.files.get_mut(path).and_then(|(_, frame)| frame.take());
        if let Some(mut frame) = waiting {
            let rows = frame.len();
            self.waiting -= rows;
            let piece = self.press.press(&mut frame, self.dictionaries)?;
            self.file(path, self.current)?.append(piece, rows as u64)?;
        }
        Ok(())
    }

    fn finish_files(&mut self) -> Result<(), Error> {
        let paths: Vec<PathBuf> = self.files.keys().cloned().collect();
        for path in paths {
            self.flush(&path)?;
            if let Some((Some(file), _)) = self.files.remove(&path) {
                self.report.rows += file.rows;
                let (path, bytes) = file.finish()?;
                self.report.files += 1;
                self.report.bytes += bytes;
                self.written.insert(path);
            }
        }
        Ok(())
    }

    /// Ends everything: a table without rows is a file without rows, and what an earlier export of these captures left in
    /// other directories goes.
    pub(crate) fn finish(mut self) -> Result<WrittenTable, Error> {
        self.finish_files()?;
        if self.written.is_empty() && !self.wants_frames() && !self.captures.is_empty() {
            let path = self.path(&self.captures[0].0, &[]);
            self.current = 0;
            self.file(&path, 0)?;
            self.finish_files()?;
        }
        if let Output::Directory(directory) = &self.options.output {
            let stale: BTreeSet<String> = self
                .captures
                .iter()
                .map(|(name, _)| format!("{name}.{}", self.options.form.extension()))
                .collect();
            remove_stale(
                &directory.join(self.press.shape.table.name()),
                &stale,
                &self.written,
            )?;
        }
        Ok(self.report)
    }
}

/// What the files of a capture are called.
fn file_name(capture: &CaptureSummary) -> String {
    match capture.capture_id.as_str() {
        // Without a header there is no id; the path says which it is as well as anything.
        "" => escaped(&capture.path),
        id => id.to_owned(),
    }
}

/// What a file says of its capture.
fn about(capture: &CaptureSummary) -> About {
    let mut about = vec![
        ("perf.capture".to_owned(), capture.capture_id.clone()),
        ("perf.host".to_owned(), capture.host.clone()),
        ("perf.pid".to_owned(), capture.pid.to_string()),
        ("perf.records".to_owned(), capture.records.to_string()),
        ("perf.lost".to_owned(), capture.lost.to_string()),
    ];
    let times = [
        ("perf.start_unix_ns", capture.start_unix_ns),
        ("perf.end_unix_ns", capture.end_unix_ns),
    ];
    for (key, time) in times {
        about.extend(time.map(|time| (key.to_owned(), time.0.to_string())));
    }
    about.extend(
        capture
            .command
            .clone()
            .map(|command| ("perf.command".to_owned(), command)),
    );
    let labels = capture.labels.iter();
    about.extend(labels.map(|(key, value)| (format!("perf.label.{key}"), value.clone())));
    about
}

/// A name as a part of a path: all but plain letters as `%XX`, as Hive does.
fn escaped(name: &str) -> String {
    if name.is_empty() {
        return "__HIVE_DEFAULT_PARTITION__".to_owned();
    }
    let mut escaped = String::new();
    // A name may have 64 KiB; that of a file 255 bytes.
    for byte in name.bytes().take(80) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => escaped.push(byte.into()),
            b'.' if !escaped.is_empty() => escaped.push('.'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Removes files of these names below `directory` that were not written now.
fn remove_stale(
    directory: &Path,
    names: &BTreeSet<String>,
    written: &BTreeSet<PathBuf>,
) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.map_err(Error::io(directory))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        if path.is_dir() && !path.is_symlink() {
            remove_stale(&path, names, written)?;
            // Fails on one that is not empty, which is right.
            let _ = fs::remove_dir(&path);
        } else if name.is_some_and(|name| names.contains(name.as_ref())) && !written.contains(&path)
        {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// The place of a table that is of all captures together.
pub(crate) fn joined_name(captures: &[CaptureSummary]) -> String {
    match captures {
        [one] => file_name(one),
        several => {
            let mut ids: Vec<String> = several.iter().map(file_name).collect();
            ids.sort_unstable();
            // FNV-1a: the same captures give the same name, in whatever order.
            let hash = ids
                .join(",")
                .bytes()
                .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
                });
            format!("joined-{hash:016x}")
        }
    }
}

impl Place<'_> {
    /// All rows are of all captures together, in one file.
    pub(crate) fn joined(mut self, captures: &[CaptureSummary]) -> Self {
        debug_assert_eq!(self.press.shape.table, Table::Traces);
        let about = match captures {
            [one] => about(one),
            several => {
                let ids = several.iter().map(|capture| capture.capture_id.as_str());
                let ids: Vec<_> = ids.collect();
                vec![("perf.captures".to_owned(), ids.join(","))]
            }
        };
        self.captures.insert(0, (joined_name(captures), about));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn hostile_names_stay_in_their_directory() {
        assert_eq!(escaped("ORDER_FILL"), "ORDER_FILL");
        assert_eq!(escaped("../../etc"), "%2E.%2F..%2Fetc");
        assert_eq!(escaped(".."), "%2E.");
        assert_eq!(escaped("a=b c\0"), "a%3Db%20c%00");
        assert!(escaped(&"x".repeat(5000)).len() < 255);
        assert!(escaped(&"ü".repeat(5000)).len() < 255);
    }
}
