//! Bringing a recorder up: clock, file, arena, threads, and only then the probes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use perf_arena::{About, Owner};
use perf_format::{Anchor, WarningCode};
use perf_probe::Handle;

use crate::backend::{ForkPolicy, ProbeBackend};
use crate::builder::{Builder, Destination, Settings};
use crate::describe::{describe, measure_rate};
use crate::drainer::{Drainer, Parts};
use crate::error::StartError;
use crate::live::{Engine, Shared, Threads, start_syncer, start_writer};
use crate::outlet::{Outlet, SinkOutlet, SpoolOutlet};
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
struct Opened {
    storage: Option<Arc<dyn Storage>>,
    sink: Option<Box<dyn Sink + Send>>,
    path: Option<PathBuf>,
}

pub(crate) fn start(builder: Builder) -> Result<Recorder, StartError> {
    let Builder {
        destination,
        settings,
    } = builder;
    let first = (settings.read_anchor)();
    let remarks = salvaged(&settings, &destination);
    let opened = open(destination)?;
    let made = begin(&settings, opened.path.as_deref(), &first);
    let started = made.and_then(|begun| {
        run(
            &settings,
            opened.storage,
            opened.sink,
            opened.path.clone(),
            begun,
            &remarks,
        )
    });
    if started.is_err()
        && let Some(path) = &opened.path
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

fn open(destination: Destination) -> Result<Opened, StartError> {
    Ok(match destination {
        Destination::None => return Err(StartError::NoDestination),
        Destination::Path(asked) => {
            let (file, path) = path::create(&asked)?;
            Opened {
                storage: Some(Arc::new(file)),
                sink: None,
                path: Some(path),
            }
        }
        Destination::Storage(storage) => Opened {
            storage: Some(storage),
            sink: None,
            path: None,
        },
        Destination::Sink(sink) => Opened {
            storage: None,
            sink: Some(sink),
            path: None,
        },
    })
}

/// Arena, clock and header of a capture.
struct Begun {
    owner: Owner,
    header: Vec<u8>,
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
        header: bytes,
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
        first_anchor: begun.first,
        read_anchor: settings.read_anchor,
        time: settings.time,
        interval: settings.interval,
        ring_bytes: settings.arena.ring_bytes,
        progress: begun.progress,
        hook: settings.hook,
        sampler,
    });
    drainer.books.ns_per_record = begun.ns_per_record;
    drainer.nice = settings.drainer_nice;
    for remark in &settings.remarks {
        drainer
            .warnings
            .add(WarningCode::SETTINGS, 0, remark.clone());
    }
    drainer
}

fn run(
    settings: &Settings,
    storage: Option<Arc<dyn Storage>>,
    sink: Option<Box<dyn Sink + Send>>,
    path: Option<PathBuf>,
    mut begun: Begun,
    remarks: &[String],
) -> Result<Recorder, StartError> {
    let handle = begun.handle.clone();
    let progress = Arc::clone(&begun.progress);
    let (outlet, writer, max_piece_bytes) =
        match connect(settings, storage, sink, path.as_deref(), &mut begun) {
            Ok(connected) => connected,
            Err(error) => {
                begun.abandon();
                return Err(error);
            }
        };
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
    let mut recorder = Recorder::new(shared, threads, handle, path);
    if settings.install {
        recorder.install()?;
    }
    Ok(recorder)
}

/// What takes the drainer's pieces, the writer's thread if there is one, and the most bytes of a piece.
type Connected = (Box<dyn Outlet + Send>, Option<JoinHandle<()>>, usize);

/// Puts the header where the capture goes, and makes that ready for the pieces.
fn connect(
    settings: &Settings,
    storage: Option<Arc<dyn Storage>>,
    sink: Option<Box<dyn Sink + Send>>,
    path: Option<&Path>,
    begun: &mut Begun,
) -> Result<Connected, StartError> {
    match (storage, sink) {
        (Some(storage), _) => {
            let (outlet, writer) = start_file(settings, storage, path, begun)?;
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
    path: Option<&Path>,
    begun: &mut Begun,
) -> Result<(Box<dyn Outlet + Send>, JoinHandle<()>), StartError> {
    let create = |source| StartError::CreateCapture {
        path: path.map(Path::to_owned).unwrap_or_default(),
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
    .with_hook(settings.hook);
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
    let first = (settings.read_anchor)();
    let begun = begin(&settings, None, &first)?;
    if let Err(error) = put_header(sink, &begun.header) {
        begun.abandon();
        return Err(error);
    }
    let handle = begun.handle.clone();
    Ok((handle, drainer_of(&settings, begun, LARGEST_PIECE)))
}

impl Settings {
    /// Starts, in the child of a fork, a recorder like the parent's, but for its file. The probes install it.
    pub(crate) fn start_in_child(self) -> Result<Recorder, StartError> {
        let path = self
            .path
            .as_deref()
            .map(path::for_child)
            .ok_or(StartError::NoDestination)?;
        let settings = Settings {
            install: false,

            path: Some(path.clone()),
            ..self
        };
        start(Builder {
            destination: Destination::Path(path),
            settings,
        })
    }
}
