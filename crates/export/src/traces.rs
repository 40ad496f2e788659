//! The table of traces: a sink of the trace analysis, which sorts them beyond memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use perf_analysis::report::Outcome;
use perf_analysis::traces::{FlowId, Trace, TraceSink, World};

use crate::frame::{Frame, Owner, Values};
use crate::table::Table;

/// Bytes of rows that all workers together keep in memory.
const MEMORY: usize = 48 << 20;
/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 16;
/// In an owner: this is no gap.
const STAGE: u32 = u32::MAX;

/// One trace. The order is that of the table: by start, then whatever tells two traces apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    start: i64,
    id: u64,
    end_to_end: i64,
    spans: i64,
    failed: i64,
    due: Option<i64>,
    lag: Option<i64>,
    response: Option<i64>,
    lossy: bool,
    /// The event, [`STAGE`] or the event after the gap, ns.
    owners: Vec<(u32, u32, i64)>,
    flow: u32,
}

impl Row {
    fn of(trace: &Trace<'_>, flow: FlowId) -> Self {
        let failed = trace.spans().iter();
        let failed = failed.filter(|span| span.outcome() != Outcome::Ok).count();
        let int = |value: u64| value.min(i64::MAX as u64) as i64;
        Self {
            start: trace.unix_ns(trace.start()).0,
            id: trace.id().0,
            end_to_end: int(trace.world().ns(trace.end_to_end())),
            spans: trace.spans().len() as i64,
            failed: failed as i64,
            due: trace.due().map(|due| due.0),
            lag: trace.lag_ns(),
            response: trace.response_ns().map(int),
            lossy: trace.is_lossy(),
            owners: owners(trace),
            flow: flow.0,
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.owners.len() * 16
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut put = |value: i64| out.write_all(&value.to_le_bytes());
        for value in [
            self.start,
            self.id as i64,
            self.end_to_end,
            self.spans,
            self.failed,
        ] {
            put(value)?;
        }
        for value in [self.due, self.lag, self.response] {
            put(value.is_some().into())?;
            put(value.unwrap_or(0))?;
        }
        put(self.lossy.into())?;
        put(self.flow.into())?;
        put(self.owners.len() as i64)?;
        for (event, to, ns) in &self.owners {
            put(i64::from(*event) << 32 | i64::from(*to))?;
            put(*ns)?;
        }
        Ok(())
    }

    /// `None` at the end.
    fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut get = || {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            Ok::<i64, io::Error>(i64::from_le_bytes(bytes))
        };
        let start = match get() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            start => start?,
        };
        let [id, end_to_end, spans, failed] = [get()?, get()?, get()?, get()?];
        let mut option = || Ok::<_, io::Error>((get()? != 0, get()?));
        let options = [option()?, option()?, option()?];
        let [due, lag, response] = options.map(|(is_some, value)| is_some.then_some(value));
        let (lossy, flow) = (get()? != 0, get()? as u32);
        let owners = (0..get()?).map(|_| {
            let owner = get()? as u64;
            Ok(((owner >> 32) as u32, owner as u32, get()?))
        });
        Ok(Some(Self {
            start,
            id: id as u64,
            end_to_end,
            spans,
            failed,
            due,
            lag,
            response,
            lossy,
            owners: owners.collect::<io::Result<_>>()?,
            flow,
        }))
    }
}

/// Who owned the time, in the order of their first begin. Rounded so that they add up to the whole, in ns.
fn owners(trace: &Trace<'_>) -> Vec<(u32, u32, i64)> {
    let mut sums: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
    let mut add = |owner, start: u64, own: u64| {
        let (first, sum) = sums.entry(owner).or_insert((start, 0));
        *first = start.min(*first);
        *sum += own;
    };
    for (at, span) in trace.spans().iter().enumerate() {
        add((span.event(), STAGE), span.start, trace.own(at));
    }
    for gap in trace.gaps() {
        add((gap.from, gap.to), gap.start, gap.end - gap.start);
    }
    let mut sorted: Vec<_> = sums.into_iter().collect();
    sorted.sort_by_key(|(owner, (first, _))| (*first, *owner));
    let (mut units, mut before) = (0, 0);
    let owners = sorted.into_iter().map(|((event, to), (_, own))| {
        units += own;
        let ns = trace.world().ns(units);
        let own = ns - before;
        before = ns;
        (event, to, own as i64)
    });
    owners.collect()
}

/// Rows that were sorted and put aside, and what their flows are called now.
struct Aside {
    file: File,
    flows: Option<Vec<FlowId>>,
}

/// Keeps every trace that it sees, beyond a bound in a nameless file.
pub(crate) struct Kept {
    rows: Vec<Row>,
    bytes: usize,
    limit: usize,
    aside: Vec<Aside>,
    failure: Option<io::Error>,
    /// Names of events, by number.
    events: Vec<String>,
}

impl Kept {
    pub(crate) fn new(world: &World, threads: usize) -> Self {
        let events = (0..world.events()).map(|event| world.event_name(event as u32).to_owned());
        Self {
            limit: MEMORY / threads.max(1),
            events: events.collect(),
            ..Self::empty()
        }
    }

    /// Has seen nothing.
    pub(crate) fn empty() -> Self {
        Self {
            rows: Vec::new(),
            bytes: 0,
            limit: 0,
            aside: Vec::new(),
            failure: None,
            events: Vec::new(),
        }
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.rows.sort_unstable();
        let mut out = BufWriter::with_capacity(1 << 18, tempfile::tempfile()?);
        for row in self.rows.drain(..) {
            row.write(&mut out)?;
        }
        self.bytes = 0;
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.aside.push(Aside { file, flows: None });
        Ok(())
    }

    fn keep(&mut self, row: Row) {
        self.bytes += row.bytes();
        self.rows.push(row);
        if self.bytes > self.limit
            && self.failure.is_none()
            && let Err(error) = self.put_aside()
        {
            self.failure = Some(error);
        }
        if self.failure.is_some() {
            self.rows.clear();
        }
    }

    /// The rows in order, as frames; with the names of flows and of owners by their numbers.
    ///
    /// # Errors
    /// When rows could not be put aside or read back, or `take` fails.
    pub(crate) fn frames<E>(
        mut self,
        flow_name: impl Fn(FlowId) -> String,
        mut take: impl FnMut(Frame, &[String], &[String]) -> Result<(), E>,
    ) -> io::Result<Result<(), E>> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.rows.sort_unstable();
        let mut sources: Vec<Source> = Vec::new();
        sources.push(Source::Memory(std::mem::take(&mut self.rows).into_iter()));
        for aside in std::mem::take(&mut self.aside) {
            let buffer = BufReader::with_capacity(1 << 16, aside.file);
            sources.push(Source::File(buffer, aside.flows));
        }
        let mut heap = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            heap.extend(source.next()?.map(|row| Reverse((row, at))));
        }
        let mut group = Group::default();
        while let Some(Reverse((row, at))) = heap.pop() {
            heap.extend(sources[at].next()?.map(|row| Reverse((row, at))));
            group.push(&row, &flow_name, &self.events);
            if group.columns.start.len() == GROUP_ROWS {
                let columns = std::mem::take(&mut group.columns);
                if let Err(error) = take(columns.frame(), &group.flows, &group.owners) {
                    return Ok(Err(error));
                }
            }
        }
        match group.columns.start.is_empty() {
            true => Ok(Ok(())),
            false => Ok(take(group.columns.frame(), &group.flows, &group.owners)),
        }
    }
}

impl TraceSink for Kept {
    fn trace(&mut self, trace: &Trace<'_>, flow: FlowId) {
        self.keep(Row::of(trace, flow));
    }

    fn merge(&mut self, other: Self, flows: &[FlowId]) {
        let renamed = |flow: u32| match flow {
            other if other == FlowId::OTHER.0 => FlowId::OTHER,
            flow => flows.get(flow as usize).copied().unwrap_or(FlowId::OTHER),
        };
        for mut aside in other.aside {
            aside.flows = Some(match aside.flows {
                None => flows.to_vec(),
                Some(named) => named.iter().map(|flow| renamed(flow.0)).collect(),
            });
            self.aside.push(aside);
        }
        self.failure = self.failure.take().or(other.failure);
        for row in other.rows {
            let flow = renamed(row.flow).0;
            self.keep(Row { flow, ..row });
        }
    }
}

enum Source {
    Memory(std::vec::IntoIter<Row>),
    File(BufReader<File>, Option<Vec<FlowId>>),
}

impl Source {
    fn next(&mut self) -> io::Result<Option<Row>> {
        match self {
            Source::Memory(rows) => Ok(rows.next()),
            Source::File(file, flows) => {
                let mut row = Row::read(file)?;
                if let (Some(row), Some(flows)) = (&mut row, flows) {
                    let renamed = flows.get(row.flow as usize).copied();
                    row.flow = renamed.unwrap_or(FlowId::OTHER).0;
                }
                Ok(row)
            }
        }
    }
}

/// Rows of one row group, and the names that were met so far.
#[derive(Default)]
struct Group {
    columns: Columns,
    flows: Vec<String>,
    flow_of: BTreeMap<u32, u32>,
    owners: Vec<String>,
    owner_of: BTreeMap<(u32, u32), u32>,
}

#[derive(Default)]
struct Columns {
    start: Vec<i64>,
    end_to_end: Vec<i64>,
    id: Vec<u64>,
    flow: Vec<u32>,
    spans: Vec<i64>,
    failed: Vec<i64>,
    due: Vec<Option<i64>>,
    lag: Vec<Option<i64>>,
    response: Vec<Option<i64>>,
    lossy: Vec<i64>,
    owners: Vec<Vec<Owner>>,
}

impl Group {
    fn push(&mut self, row: &Row, flow_name: &impl Fn(FlowId) -> String, events: &[String]) {
        let flow = *self.flow_of.entry(row.flow).or_insert_with(|| {
            self.flows.push(flow_name(FlowId(row.flow)));
            self.flows.len() as u32 - 1
        });
        let event = |at: u32| events.get(at as usize).map_or("", String::as_str);
        let owners = row.owners.iter().map(|(from, to, ns)| {
            let number = *self.owner_of.entry((*from, *to)).or_insert_with(|| {
                self.owners.push(match *to {
                    STAGE => event(*from).to_owned(),
                    to => format!("{}→{}", event(*from), event(to)),
                });
                self.owners.len() as u32 - 1
            });
            (number, *ns)
        });
        let columns = &mut self.columns;
        columns.owners.push(owners.collect());
        columns.start.push(row.start);
        columns.end_to_end.push(row.end_to_end);
        columns.id.push(row.id);
        columns.flow.push(flow);
        columns.spans.push(row.spans);
        columns.failed.push(row.failed);
        columns.due.push(row.due);
        columns.lag.push(row.lag);
        columns.response.push(row.response);
        columns.lossy.push(row.lossy.into());
    }
}

impl Columns {
    fn frame(self) -> Frame {
        let columns = vec![
            Values::Int(self.start),
            Values::Int(self.end_to_end),
            Values::Id(self.id),
            Values::Name(self.flow),
            Values::Int(self.spans),
            Values::Int(self.failed),
            Values::OptInt(self.due),
            Values::OptInt(self.lag),
            Values::OptInt(self.response),
            Values::Int(self.lossy),
            Values::Owners(self.owners),
        ];
        Frame::new(Table::Traces, columns)
    }
}
