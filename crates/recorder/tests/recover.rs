//! One file out of what is left of a capture.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Capture, child};
use perf_format::{CloseReason, EventsChunk};
use perf_probe::{events, measure, record_histogram};
use perf_recorder::salvage::{self, SalvageError, recover};
use perf_recorder::{Handoff, Recorder, salvage::remainder_path};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const FLUSHED: u64 = 5_000;
const ALL: u64 = 12_000;

#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let recorder = Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("arena"))
        .on_handoff(stay)
        .start()
        .expect("the recorder starts");
    std::mem::forget(measure!(WORK));
    for number in 0..FLUSHED {
        record_histogram(NUMBER, number);
        if number % 1_000 == 999 {
            recorder.flush().expect("flushed");
        }
    }
    ALL_FLUSHED.store(true, Ordering::SeqCst);
    (FLUSHED..ALL).for_each(|number| record_histogram(NUMBER, number));
    child::die();
}

static ALL_FLUSHED: AtomicBool = AtomicBool::new(false);

/// Keeps the drainer, which comes when it likes, from taking what is to be in the ring when the child dies.
fn stay(handoff: Handoff) {
    while handoff == Handoff::Copied && ALL_FLUSHED.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// A directory with a capture that was killed, and its arena.
fn killed() -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    let path = directory.path().display().to_string();
    let status = child::spawn("child_main", &path, &[])
        .wait()
        .expect("a child");
    assert!(!status.success());
    directory
}

fn arena_of(directory: &Path) -> Option<std::path::PathBuf> {
    child::arenas_in(&directory.join("arena")).pop()
}

#[test]
fn capture_and_arena_become_one_file() {
    let directory = killed();
    let (capture, out) = (
        directory.path().join("x.bin"),
        directory.path().join("whole.bin"),
    );
    let before = std::fs::read(&capture).expect("the capture");
    let recovered = recover(&capture, None, &out).expect("recovered");
    assert_eq!(recovered.arena, arena_of(directory.path()));
    assert_eq!(recovered.kept_records, FLUSHED);
    assert_eq!(recovered.saved.records, ALL - FLUSHED);
    assert_eq!((recovered.saved.open_spans, recovered.saved.lost), (1, 0));
    assert_eq!(recovered.damage, [] as [String; 0]);
    assert_eq!(
        recovered.bytes,
        std::fs::metadata(&out).expect("the file").len()
    );
    assert_eq!(
        std::fs::read(&capture).expect("the capture"),
        before,
        "the damaged one is left as it was"
    );

    let whole = Capture::open(&out);
    assert_eq!(whole.values("number"), (0..ALL).collect::<Vec<u64>>());
    assert_eq!(
        whole.index.close.as_ref().map(|close| close.reason),
        Some(CloseReason::SALVAGED)
    );
    assert_eq!(whole.index.open_spans.len(), 1);
    whole.assert_each_slot_once();

    let again = recover(&capture, None, &out).expect_err("it exists");
    assert!(
        matches!(
            again,
            SalvageError::Io {
                action: "create",
                ..
            }
        ),
        "{again}"
    );
}

#[test]
fn a_remainder_that_was_saved_before_is_found() {
    let directory = killed();
    let (capture, out) = (
        directory.path().join("x.bin"),
        directory.path().join("whole.bin"),
    );
    let dead = salvage::salvage_dead(Some(&directory.path().join("arena")), None).expect("saved");
    assert_eq!(dead.len(), 1);
    assert!(remainder_path(&capture).exists());
    let recovered = recover(&capture, None, &out).expect("recovered");
    assert_eq!((recovered.arena, recovered.files.len()), (None, 2));
    assert_eq!(recovered.kept_records, ALL);
    let whole = Capture::open(&out);
    assert_eq!(whole.values("number"), (0..ALL).collect::<Vec<u64>>());
    assert_eq!(whole.index.open_spans.len(), 1);
    whole.assert_each_slot_once();
}

#[test]
fn what_cannot_be_opened_does_not_pass_for_a_remainder() {
    let directory = killed();
    let (capture, arenas) = (
        directory.path().join("x.bin"),
        directory.path().join("arena"),
    );
    let usual = remainder_path(&capture);
    // A link to itself exists, and nobody can open it, not even root.
    std::os::unix::fs::symlink(&usual, &usual).expect("a link");
    let dead = salvage::salvage_dead(Some(&arenas), None).expect("saved");
    let [dead] = dead.as_slice() else {
        panic!("one arena: {dead:?}")
    };
    let (remainder, saved) = dead
        .saved
        .as_ref()
        .expect("saved")
        .as_ref()
        .expect("something");
    let id = Capture::open(&capture)
        .index
        .header
        .expect("a header")
        .capture_id;
    assert_eq!(
        *remainder,
        directory.path().join(format!("x.{id}.salvaged.bin"))
    );
    assert_eq!((saved.records, dead.remark()), (ALL - FLUSHED, None));
    assert!(usual.is_symlink(), "what has the name is left alone");
    assert_eq!(child::arenas_in(&arenas).len(), 0);
    let rest = Capture::open(remainder).values("number");
    assert_eq!(rest, (FLUSHED..ALL).collect::<Vec<u64>>());
    // Both together are the capture.
    let out = directory.path().join("whole.bin");
    let recovered = recover(&capture, None, &out).expect("recovered");
    assert_eq!(recovered.files, [capture, remainder.clone()]);
    assert_eq!(
        Capture::open(&out).values("number"),
        (0..ALL).collect::<Vec<u64>>()
    );
}

#[test]
fn an_arena_fills_the_gap_of_a_file_cut_short() {
    let directory = killed();
    let (capture, out) = (
        directory.path().join("x.bin"),
        directory.path().join("whole.bin"),
    );
    let arena = arena_of(directory.path()).expect("an arena");
    // Nothing but the arena: of the file not even the header is whole.
    std::fs::write(&capture, b"").expect("cut");
    let recovered = recover(&capture, Some(&arena), &out).expect("recovered");
    assert_eq!(
        (recovered.kept_records, recovered.saved.records),
        (0, ALL - FLUSHED)
    );
    let whole = Capture::open(&out);
    assert_eq!(whole.values("number"), (FLUSHED..ALL).collect::<Vec<u64>>());
    let header = whole
        .index
        .header
        .as_ref()
        .expect("the header was in the arena");
    assert!(header.clock.ticks_per_second > 1e6 && !header.origin.host.is_empty());
}

#[test]
fn a_damaged_chunk_is_left_out_and_named() {
    let directory = killed();
    let (capture, out) = (
        directory.path().join("x.bin"),
        directory.path().join("whole.bin"),
    );
    let mut bytes = std::fs::read(&capture).expect("the capture");
    let read = Capture::open(&capture);
    let entry = read.index.event_chunks().nth(1).expect("a second chunk");
    let chunk =
        EventsChunk::parse(read.index.chunk_bytes(&bytes, entry), entry.offset).expect("intact");
    let lost = chunk.rows() as u64;
    let last = entry.offset + entry.head.chunk_len() - 1;
    bytes[last as usize] ^= 0x10;
    std::fs::write(&capture, bytes).expect("damaged");
    let recovered = recover(&capture, None, &out).expect("recovered");
    let [damage] = recovered.damage.as_slice() else {
        panic!("one damage: {:?}", recovered.damage)
    };
    assert!(
        damage.contains("x.bin") && damage.contains("offset"),
        "{damage}"
    );
    assert_eq!(Capture::open(&out).records(), ALL - lost);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (one, other) = (killed(), killed());
    let out = one.path().join("whole.bin");
    let arena = arena_of(other.path()).expect("an arena");
    let error = recover(&one.path().join("x.bin"), Some(&arena), &out).expect_err("refused");
    assert!(
        matches!(error, SalvageError::OtherCapture { .. }),
        "{error}"
    );
    assert!(!out.exists());
    let error = recover(&one.path().join("none.bin"), None, &out).expect_err("refused");
    assert!(matches!(error, SalvageError::Io { .. }), "{error}");
    let text = one.path().join("text.bin");
    std::fs::write(&text, "not a capture at all").expect("a file");
    let error = recover(&text, None, &out).expect_err("refused");
    assert!(matches!(error, SalvageError::Capture { .. }), "{error}");
}

#[test]
fn a_living_process_keeps_its_arena() {
    let directory = child::memory_dir();
    let arenas = child::private_dir(directory.path(), "arena");
    let capture = directory.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&capture)
        .arena_directory(&arenas)
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    recorder.scope(|| record_histogram(NUMBER, 1));
    recorder.flush().expect("flushed");
    let error = recover(&capture, None, &directory.path().join("out.bin")).expect_err("in use");
    assert!(matches!(error, SalvageError::InUse { .. }), "{error}");
    assert_eq!(
        salvage::salvage_dead(Some(&arenas), None)
            .expect("listed")
            .len(),
        0
    );
    // Looking did not let go of the lock: another process still sees it alive.
    thread::sleep(Duration::from_millis(5));
    let probe = child::command("other_process", &arenas.display().to_string())
        .status()
        .expect("a child");
    assert!(probe.success());
    assert_eq!(recorder.stop().expect("a clean end").records, 1);
}

#[test]
fn other_process() {
    let Some(arenas) = child::role() else { return };
    let dead = salvage::salvage_dead(Some(Path::new(&arenas)), None).expect("listed");
    assert_eq!(dead.len(), 0, "{dead:?}");
}
