//! Bringing a recorder up: clock, file, arena, threads, and only then the probes.

mod armed;
mod child;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use perf_arena::{About, Owner};
use perf_format::{Anchor, FileHeader, WarningCode};
use perf_probe::Handle;

use crate::backend::{ForkPolicy, ProbeBackend};
use crate::builder::{Builder, Destination, Settings};
use crate::describe::{describe, measure_rate};
use crate::drainer::{Drainer, Parts};
use crate::error::StartError;
use crate::flight::{self, Keeper};
use crate::live::{Engine, Shared, Threads, start_syncer, start_writer};
use crate::outlet::{Outlet, SinkOutlet, SpoolOutlet};
use crate::parts::{PartFiles, PartSettings, Rotation};
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::salvage::{self, Dead};
use crate::sampling::Sampler;
use crate::sink::Sink;
use crate::storage::Storage;
use crate::writer::{SyncPolicy, Writer};
use crate::{calibrate, machine, path};

/// Bytes of the largest piece for a sink that names no limit.
const LARGEST_PIECE: usize = 64 << 20;

/// The capture before its first byte.
#[derive(Default)]
struct Opened {
    storage: Option<Arc<dyn Storage>>,
    sink: Option<Box<dyn Sink + Send>>,
    /// The storage, if it is of files.
    files: Option<Arc<PartFiles>>,
    /// What the parts of a flight recorder will be named after.
    base: Option<PathBuf>,
}

impl Opened {
    fn path(&self) -> Option<PathBuf> {
        let first = self.files.as_ref().map(|files| files.first());
        first.or_else(|| self.base.clone())
    }
}

pub(crate) fn start(builder: Builder) -> Result<Recorder, StartError> {
    let Builder {
        destination,
        settings,
    } = builder;
    settings.parts.check(&destination)?;
    let first = (settings.read_anchor)();
    let remarks = salvaged(&settings, &destination);
    let opened = match settings.flight {
        Some(_) => armed::open(&settings, destination)?,
        None => open(destination, &settings.parts)?,
    };
    let path = opened.path();
    let made = begin(&settings, path.as_deref(), &first);
    let started = made.and_then(|begun| run(&settings, opened, begun, &remarks));
    if started.is_err()
        && settings.flight.is_none()
        && let Some(path) = &path
    {
        // Ours, and empty or nearly so: a start that fails leaves nothing behind.
        let _ = std::fs::remove_file(path);
    }
    started
}

/// Saves what dead processes left; returns, in words, what could not be saved or went to an unusual place.
fn salvaged(settings: &Settings, destination: &Destination) -> Vec<String> {
    if !settings.salvage {
        return Vec::new();
    }
    let elsewhere = match destination {
        Destination::Path(asked) => path::directory_of(asked),
        _ => None,
    };
    match salvage::salvage_dead(settings.arena.directory.as_deref(), elsewhere.as_deref()) {
        Ok(dead) => dead.iter().filter_map(Dead::remark).collect(),
        Err(error) => vec![error.in_full()],
    }
}

fn open(destination: Destination, parts: &PartSettings) -> Result<Opened, StartError> {
    Ok(match destination {
        Destination::None => return Err(StartError::NoDestination),
        Destination::Path(asked) => {
            let files = Arc::new(PartFiles::create(&asked, parts)?);
            Opened {
                storage: Some(Arc::clone(&files) as Arc<dyn Storage>),
                files: Some(files),
                ..Opened::default()
            }
        }
        Destination::Storage(storage) => Opened {
            storage: Some(storage),
            ..Opened::default()
        },
        Destination::Sink(sink) => Opened {
            sink: Some(sink),
            ..Opened::default()
        },
    })
}

/// Arena, clock and header of a capture.
struct Begun {
    owner: Owner,
    described: FileHeader,
    header: Vec<u8>,
    keeper: Option<Keeper>,
    flight: Option<flight::Starting>,
    first: Anchor,
    handle: Handle,
    ticks_per_second: f64,
    ns_per_record: f64,
    progress: Arc<Progress>,
}

impl Begun {
    /// The start has failed. Merely dropped, the arena would stay, as after a crash: a program that is started again and
    /// again while its disk is full would fill the shared memory.
    fn abandon(self) {
        let _ = self.owner.close();
    }
}

fn begin(settings: &Settings, path: Option<&Path>, first: &Anchor) -> Result<Begun, StartError> {
    let rate = measure_rate(settings.read_anchor, first);
    let mut header = describe(settings, rate)?;
    let boot_id = machine::boot_id_bytes(&header.origin.boot_id);
    let mut metadata = Vec::new();
    header.encode(&mut metadata);
    let about = About {
        capture_id: header.capture_id.0,
        boot_id,
        capture_path: path.map(Path::to_owned).unwrap_or_default(),
        start_unix_ns: u64::try_from(header.start_unix_ns).unwrap_or(0),
        clock: u32::from(header.clock.source.0),
        ticks_per_second: rate,
        metadata,
    };
    let mut owner = perf_arena::create(&perf_arena::Config {
        about,
        ..settings.arena.clone()
    })?;
    let arena_path = owner.path().map(Path::to_string_lossy).unwrap_or_default();
    header.origin.arena = arena_path.into_owned();
    let mut bytes = Vec::new();
    header.encode(&mut bytes);

    let follow = (settings.fork == ForkPolicy::Follow).then(|| settings.clone());
    let backend = ProbeBackend::new(owner.arena(), follow);
    let handle = match settings.clock.clone() {
        Some(clock) => Handle::with_clock(backend, clock),
        None => Handle::new(backend),
    };
    // In a scope, so that the clock is the one that records will read.
    let ticks = perf_probe::scope(&handle, || calibrate::ticks_per_record(&mut owner));
    let ns_per_record = ticks.map_or(0.0, |ticks| ticks * 1e9 / rate);
    let progress = Arc::new(Progress::default());
    Ok(Begun {
        owner,
        described: header,
        header: bytes,
        keeper: None,
        flight: None,
        first: first.clone(),
        handle,
        ticks_per_second: rate,
        ns_per_record,
        progress,
    })
}

fn drainer_of(settings: &Settings, begun: Begun, max_piece_bytes: usize) -> Drainer {
    let sampling = &settings.sampling;
    let sampler =
        (!sampling.keeps_all()).then(|| Sampler::new(sampling.clone(), begun.ticks_per_second));
    let mut drainer = Drainer::new(Parts {
        owner: begun.owner,
        max_piece_bytes,
        first_anchor: begun.first.clone(),
        read_anchor: settings.read_anchor,
        time: settings.time,
        interval: settings.interval,
        ring_bytes: settings.arena.ring_bytes,
        progress: begun.progress,
        hook: settings.hook,
        sampler,
        keeper: begun.keeper,
    });
    drainer.begin(&begun.first);
    drainer.books.ns_per_record = begun.ns_per_record;
    drainer.nice = settings.drainer_nice;
    drainer.rotation = Rotation::of(&settings.parts, begun.described);
    if let Some(rotation) = &drainer.rotation
        && rotation.header_bytes() > max_piece_bytes
    {
        let message = "the spool has no room for a file header: the capture stays one file";
        drainer
            .warnings
            .add(WarningCode::SETTINGS, 0, message.to_owned());
        drainer.rotation = None;
    }
    for remark in &settings.remarks {
        drainer
            .warnings
            .add(WarningCode::SETTINGS, 0, remark.clone());
    }
    drainer
}

fn run(
    settings: &Settings,
    opened: Opened,
    mut begun: Begun,
    remarks: &[String],
) -> Result<Recorder, StartError> {
    let handle = begun.handle.clone();
    let progress = Arc::clone(&begun.progress);
    let (path, files) = (opened.path(), opened.files.clone());
    let (outlet, writer, max_piece_bytes) = match connect(settings, opened, &mut begun) {
        Ok(connected) => connected,
        Err(error) => {
            begun.abandon();
            return Err(error);
        }
    };
    let flight = begun.flight.take();
    let capture_id = begun.described.capture_id.0;
    let mut drainer = drainer_of(settings, begun, max_piece_bytes.min(LARGEST_PIECE));
    for message in remarks {
        drainer
            .warnings
            .add(WarningCode::SALVAGE, 0, message.clone());
    }
    let shared = Arc::new(Shared::new(
        Engine { drainer, outlet },
        progress,
        settings.patience,
        files,
    ));
    let failed = |source| StartError::System {
        action: "start the drainer's thread",
        source,
    };
    let threads = match Threads::start(&shared, writer) {
        Ok(threads) => threads,
        Err(error) => {
            if let Some(shared) = Arc::into_inner(shared) {
                let _ = shared.into_engine().drainer.owner.close();
            }
            return Err(failed(error));
        }
    };
    let flight = match flight.map(|flight| flight.run(&shared)).transpose() {
        Ok(flight) => flight,
        Err(error) => {
            let _ = threads.stop(&shared);
            if let Some(shared) = Arc::into_inner(shared) {
                let _ = shared.into_engine().drainer.owner.close();
            }
            return Err(error);
        }
    };
    let mut recorder = Recorder::new(shared, threads, flight, handle, path, capture_id);
    if settings.install {
        recorder.install()?;
    }
    if settings.is_controlled() {
        recorder.listen(settings.arena.directory.as_deref());
    }
    Ok(recorder)
}

/// What takes the drainer's pieces, the writer's thread if there is one, and the most bytes of a piece.
type Connected = (Box<dyn Outlet + Send>, Option<JoinHandle<()>>, usize);

/// Puts the header where the capture goes, and makes that ready for the pieces.
fn connect(
    settings: &Settings,
    opened: Opened,
    begun: &mut Begun,
) -> Result<Connected, StartError> {
    if let (Some(flight), Some(base)) = (&settings.flight, &opened.base) {
        return armed::connect(settings, flight, base, begun);
    }
    match (opened.storage, opened.sink) {
        (Some(storage), _) => {
            let (outlet, writer) = start_file(settings, storage, opened.files, begun)?;
            let most =
                usize::try_from(begun.owner.spool().max_payload_bytes()).unwrap_or(usize::MAX);
            Ok((outlet, Some(writer), most))
        }
        (None, Some(mut sink)) => {
            put_header(&mut sink, &begun.header)?;
            let bytes = begun.header.len() as u64;
            Ok((Box::new(SinkOutlet { sink, bytes }), None, LARGEST_PIECE))
        }
        (None, None) => Err(StartError::NoDestination),
    }
}

/// Writes the header and starts the writer thread.
fn start_file(
    settings: &Settings,
    storage: Arc<dyn Storage>,
    files: Option<Arc<PartFiles>>,
    begun: &mut Begun,
) -> Result<(Box<dyn Outlet + Send>, JoinHandle<()>), StartError> {
    let create = |source| StartError::CreateCapture {
        path: files.as_ref().map(|it| it.first()).unwrap_or_default(),
        source,
    };
    write_all(&*storage, &begun.header).map_err(create)?;
    let offset = begun.header.len() as u64;
    let Some(spool) = begun.owner.take_spool_reader() else {
        return Err(StartError::NoDestination);
    };
    let failed = |source| StartError::System {
        action: "start the writer's threads",
        source,
    };
    if settings.sync != SyncPolicy::Never {
        start_syncer(Arc::clone(&storage), Arc::clone(&begun.progress)).map_err(failed)?;
    }
    let writer = Writer::new(
        spool,
        storage,
        offset,
        settings.sync,
        Arc::clone(&begun.progress),
    )
    .with_hook(settings.hook)
    .with_files(files.clone());
    if let Some(files) = &files {
        let command = &begun.described.origin.command;
        files
            .start_keeper(settings, command, &begun.progress)
            .map_err(failed)?;
    }
    let writer = start_writer(writer).map_err(|error| {
        // The thread that syncs waits for orders that nobody will give.
        begun.progress.end_syncs();
        failed(error)
    })?;
    let outlet = SpoolOutlet {
        writer: writer.thread().clone(),
        offset,
    };
    Ok((Box::new(outlet), writer))
}

fn write_all(storage: &dyn Storage, bytes: &[u8]) -> std::io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match storage.write_at(&bytes[written..], written as u64) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn put_header(sink: &mut impl Sink, header: &[u8]) -> Result<(), StartError> {
    let refused = |error| StartError::System {
        action: "give the sink its header",
        source: std::io::Error::other(error),
    };
    sink.accept(header).map_err(refused)
}

pub(crate) fn manual(
    settings: Settings,
    sink: &mut impl Sink,
) -> Result<(Handle, Drainer), StartError> {
    settings.parts.check(&Destination::None)?;
    let first = (settings.read_anchor)();
    let begun = begin(&settings, None, &first)?;
    if let Err(error) = put_header(sink, &begun.header) {
        begun.abandon();
        return Err(error);
    }
    let handle = begun.handle.clone();
    Ok((handle, drainer_of(&settings, begun, LARGEST_PIECE)))
}
