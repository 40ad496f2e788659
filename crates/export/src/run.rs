//! One export from beginning to end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::available_parallelism;

use perf_analysis::records::{Buffers, Records};
use perf_analysis::report::CaptureSummary;
use perf_analysis::traces::traces_with;
use perf_analysis::{CaptureSet, TraceOptions, Warning};

use crate::about;
use crate::batch::Shape;
use crate::bins::{Bins, Cells};
use crate::dictionary::{Dictionaries, Dictionary};
use crate::error::{Error, NO_SLOT};
use crate::form::{Piece, Press};
use crate::frame::Frame;
use crate::gather::{Gathered, Wanted};
use crate::options::{Options, Output};
use crate::pipeline::in_order;
use crate::place::Place;
use crate::table::Table;
use crate::traces::Kept;

/// Rows that are read and encoded together: a row group.
const GROUP_ROWS: u64 = 1 << 18;
/// More workers than this would need more memory than is promised.
const MAX_WORKERS: usize = 8;

/// What was written of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenTable {
    /// The table.
    pub table: Table,
    /// Its rows.
    pub rows: u64,
    /// Its files; 0 for standard output alone.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl WrittenTable {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            rows: 0,
            files: 0,
            bytes: 0,
        }
    }
}

/// What [`export()`] did.
#[derive(Debug)]
pub struct Exported {
    /// By table, in the order of [`Table::ALL`].
    pub tables: Vec<WrittenTable>,
    /// What a reader of the tables must know.
    pub warnings: Vec<Warning>,
    /// Observations that are greater than the column holds, and were written as its greatest value.
    pub too_great: u64,
}

/// Writes tables of `set` as `options` ask. `progress` is told how many rows of how many were read.
///
/// # Errors
/// Options that do not go together; a capture that cannot be read; a file that cannot be written. Files that were whole by
/// then stay, half ones are never seen.
pub fn export(
    set: &CaptureSet,
    options: &Options,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Exported, Error> {
    check(options)?;
    let records = Records::open(set, &options.select)?;
    let captures = records.summaries();
    let names = Dictionaries::new(records.names(), &captures);
    let run = Run {
        options,
        records: &records,
        captures: &captures,
        names: &names,
        progress,
    };
    let mut exported = Exported {
        tables: Vec::new(),
        warnings: records.warnings(),
        too_great: 0,
    };
    run.records(&mut exported)?;
    run.about(&mut exported)?;
    if let Some(shape) = run.shape(Table::Traces) {
        run.traces(set, shape, &mut exported)?;
    }
    exported.tables.sort_by_key(|written| written.table);
    Ok(exported)
}

fn check(options: &Options) -> Result<(), Error> {
    let usage = |message: String| Err(Error::Usage(message));
    let columns = || Table::ALL.iter().flat_map(|table| table.columns());
    let unknown =
        { options.columns.iter() }.find(|asked| columns().all(|each| each.name != **asked));
    if let Some(unknown) = unknown {
        return usage(format!("no table has a column `{unknown}`"));
    }
    let shapes = { options.tables.iter() }.filter(|table| Shape::of(**table, options).is_some());
    let count = shapes.count();
    if count == 0 {
        return usage("no table has any of these columns".to_owned());
    }
    if options.output == Output::Stdout && count != 1 {
        return usage("standard output takes one table; choose it with --table".to_owned());
    }
    if options.output == Output::Stdout && !options.partition_by.is_empty() {
        return usage("standard output has no directories to partition by".to_owned());
    }
    if options.slot_ns <= 0 {
        return usage(NO_SLOT.to_owned());
    }
    Ok(())
}

struct Run<'a> {
    options: &'a Options,
    records: &'a Records<'a>,
    captures: &'a [CaptureSummary],
    names: &'a Dictionaries,
    progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// What a worker uses again from part to part.
#[derive(Default)]
struct Seat {
    buffers: Buffers,
    gathered: Gathered,
}

/// What comes of one part.
struct Done {
    capture: usize,
    rows: u64,
    /// The place among the tables of records, and rows of it.
    sheets: Vec<(usize, Rows)>,
    cells: Option<Cells>,
    warnings: Vec<Warning>,
    too_great: u64,
}

enum Rows {
    Piece(Piece, u64),
    Frame(Frame),
}

impl<'a> Run<'a> {
    fn shape(&self, table: Table) -> Option<Shape> {
        let wanted = self.options.tables.contains(&table);
        wanted.then(|| Shape::of(table, self.options)).flatten()
    }

    fn place(&self, shape: Shape) -> Result<Place<'a>, Error> {
        let press = Press::new(self.options.form, shape)?;
        let names = (self.records.names(), self.names);
        Ok(Place::new(press, self.options, names, self.captures))
    }

    fn workers(&self) -> usize {
        let cores = || available_parallelism().map_or(1, usize::from);
        let threads = self.options.select.threads.unwrap_or_else(cores);
        threads.min(MAX_WORKERS)
    }

    /// The tables that are made of single records, and bins: one pass.
    fn records(&self, exported: &mut Exported) -> Result<(), Error> {
        let wanted = Wanted {
            spans: self.shape(Table::Spans).is_some(),
            values: self.shape(Table::Values).is_some(),
            annotations: self.shape(Table::Annotations).is_some(),
        };
        let of_records = [Table::Spans, Table::Values, Table::Annotations];
        let shapes: Vec<Shape> = { of_records.into_iter() }
            .filter_map(|table| self.shape(table))
            .collect();
        let bins_shape = self.shape(Table::Bins);
        if shapes.is_empty() && bins_shape.is_none() {
            return Ok(());
        }
        let presses = shapes
            .iter()
            .map(|shape| Press::new(self.options.form, shape.clone()));
        let presses = presses.collect::<Result<Vec<_>, _>>()?;
        let places = shapes.into_iter().map(|shape| self.place(shape));
        let mut places = places.collect::<Result<Vec<_>, _>>()?;
        let as_frames: Vec<bool> = places.iter().map(Place::wants_frames).collect();
        let mut bins_place = bins_shape.map(|shape| self.place(shape)).transpose()?;
        let mut bins = Bins::new(self.options.digits, self.options.slot_ns);
        let counting = bins_place.is_some();
        let new_counter = bins.counter();
        let parts = self.records.parts(GROUP_ROWS);
        let total: u64 = parts.iter().map(|part| part.rows).sum();
        let read = AtomicU64::new(0);
        let work = |seat: &mut Seat, at: usize| -> Result<Done, Error> {
            let part = &parts[at];
            let Seat { buffers, gathered } = seat;
            gathered.begin(part.capture, wanted, counting.then(|| new_counter.clone()));
            let warnings = self
                .records
                .read(part, buffers, |rows| gathered.add(rows))?;
            let cells = gathered.counter.take().map(|counter| counter.finish());
            let mut sheets = Vec::new();
            for mut frame in gathered.frames(self.names) {
                let table = frame.table;
                let Some(at) = { presses.iter() }.position(|press| press.shape.table == table)
                else {
                    continue;
                };
                let rows = frame.len() as u64;
                sheets.push((
                    at,
                    match as_frames[at] {
                        true => Rows::Frame(frame),
                        false => {
                            let piece = presses[at].press(&mut frame, self.names)?;
                            gathered.take_back(frame);
                            Rows::Piece(piece, rows)
                        }
                    },
                ));
            }
            Ok(Done {
                capture: part.capture,
                rows: part.rows,
                sheets,
                cells,
                warnings,
                too_great: gathered.too_great,
            })
        };
        let take = |done: Done| -> Result<(), Error> {
            for (at, rows) in done.sheets {
                match rows {
                    Rows::Piece(piece, rows) => places[at].take_piece(done.capture, piece, rows)?,
                    Rows::Frame(frame) => places[at].take_frame(done.capture, frame)?,
                }
            }
            if let (Some(cells), Some(place)) = (done.cells, &mut bins_place) {
                bins.add(cells);
                while let Some(cells) = bins.overflow() {
                    let (capture, frame) = bins.frame(&cells, self.names);
                    place.take_frame(capture, frame)?;
                }
            }
            exported.warnings.extend(done.warnings);
            exported.too_great += done.too_great;
            let so_far = read.fetch_add(done.rows, Relaxed) + done.rows;
            (self.progress)(so_far, total);
            Ok(())
        };
        in_order(parts.len(), self.workers(), Seat::default, work, take)?;
        for place in places {
            exported.tables.push(place.finish()?);
        }
        if let Some(mut place) = bins_place {
            while let Some(cells) = bins.take() {
                let (capture, frame) = bins.frame(&cells, self.names);
                place.take_frame(capture, frame)?;
            }
            exported.tables.push(place.finish()?);
        }
        Ok(())
    }

    /// The tables of what is known without reading a record.
    fn about(&self, exported: &mut Exported) -> Result<(), Error> {
        for table in [Table::Events, Table::Captures] {
            let Some(shape) = self.shape(table) else {
                continue;
            };
            let mut place = self.place(shape)?;
            for (number, capture) in self.captures.iter().enumerate() {
                let frame = match table {
                    Table::Events => about::events(self.records, number, capture, self.names),
                    _ => about::capture(number, capture, self.names),
                };
                if frame.len() > 0 {
                    place.take_frame(number, frame)?;
                }
            }
            exported.tables.push(place.finish()?);
        }
        Ok(())
    }

    fn traces(&self, set: &CaptureSet, shape: Shape, exported: &mut Exported) -> Result<(), Error> {
        let select = &self.options.select;
        let options = TraceOptions {
            slowest: 0,
            ..TraceOptions::from(select)
        };
        let threads = select
            .threads
            .unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
        let seen = traces_with(set, &options, |world| Kept::new(world, threads))?;
        let known = |warning: &Warning| !exported.warnings.contains(warning);
        let more: Vec<_> = { seen.traces.warnings.iter() }
            .filter(|warning| warning.kind.is_damage() && known(warning))
            .cloned()
            .collect();
        exported.warnings.extend(more);
        self.write_traces(seen, shape, exported)
    }

    fn write_traces(
        &self,
        mut seen: perf_analysis::traces::Seen<Kept>,
        shape: Shape,
        exported: &mut Exported,
    ) -> Result<(), Error> {
        let kept = std::mem::replace(&mut seen.sink, Kept::empty());
        let press = Press::new(self.options.form, shape)?;
        let named = (self.records.names(), self.names);
        let mut place = Place::new(press, self.options, named, self.captures).joined(self.captures);
        let name = |flow| seen.flow_name(flow).unwrap_or("other").to_owned();
        let mut names = self.names.clone();
        let result = kept.frames(name, |mut frame, flows, owners| {
            names.set("traces", "flow", Dictionary::of(flows));
            names.set("traces", "stages", Dictionary::of(owners));
            let rows = frame.len() as u64;
            let piece = place.press.press(&mut frame, &names)?;
            place.take_piece(0, piece, rows)
        });
        result.map_err(Error::io(&std::env::temp_dir()))??;
        exported.tables.push(place.finish()?);
        Ok(())
    }
}
