//! The file of an arena: who may have it, who finds it, when it goes.

mod common;

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{attached, config, directory, drain_one, owner, span};
use perf_arena::reader::{ReadError, Reader};
use perf_arena::{
    About, Config, CreateError, Directory, DirectoryError, Liveness, Producer, Record, Rejected,
    create,
};

const CHILD: &str = "PERF_ARENA_LIFECYCLE_CHILD";

/// Runs in the child processes of the other tests: makes an arena, records, says so, and waits to be killed.
#[test]
fn child_process() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let owner = owner(Path::new(&path));
    let producer = attached(&owner);
    for n in 0..10 {
        producer.push(span(n)).unwrap();
    }
    println!("\nready {}", owner.path().unwrap().display());
    loop {
        std::thread::park();
    }
}

/// A child that has an arena in `directory`, and the arena's path.
fn child_with_arena(directory: &Path) -> (Child, PathBuf) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let path = lines.find_map(|line| line.unwrap().strip_prefix("ready ").map(PathBuf::from));
    (child, path.unwrap())
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_directory_is_made_for_its_user_alone() {
    let parent = directory();
    let path = parent.path().join("arenas");
    let directory = Directory::open(&path).unwrap();
    assert_eq!(directory.path(), path);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o700
    );
    let owner = owner(&path);
    let file = owner.path().unwrap();
    assert_eq!(
        fs::metadata(file).unwrap().permissions().mode() & 0o7777,
        0o600
    );
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let parent = directory();
    for mode in [0o755, 0o750, 0o701, 0o777] {
        fs::set_permissions(parent.path(), Permissions::from_mode(mode)).unwrap();
        let error = Directory::open(parent.path()).unwrap_err();
        assert!(matches!(error, DirectoryError::Mode { mode: got, .. } if got == mode));
        assert!(matches!(
            create(&config(parent.path())),
            Err(CreateError::Directory(DirectoryError::Mode { .. }))
        ));
    }
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let parent = directory();
    // Giving a directory away takes privileges. Without them any directory of root's will do.
    let given = std::os::unix::fs::chown(parent.path(), Some(12345), None).is_ok();
    let path = if given {
        parent.path()
    } else {
        Path::new("/dev")
    };
    assert!(matches!(
        Directory::open(path),
        Err(DirectoryError::Owner { .. })
    ));
}

#[test]
fn a_symbolic_link_and_a_missing_parent_are_refused() {
    let parent = directory();
    let (target, link) = (parent.path().join("target"), parent.path().join("link"));
    Directory::open(&target).unwrap();
    symlink(&target, &link).unwrap();
    for path in [link, parent.path().join("no/such")] {
        assert!(matches!(
            Directory::open(&path),
            Err(DirectoryError::Io { .. })
        ));
    }
}

#[test]
fn a_directory_on_a_disk_is_refused() {
    // Where even the build directory is in memory there is no disk to be refused.
    let disk = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap();
    match Directory::open(disk.path()) {
        Err(DirectoryError::NotMemory { .. }) => {}
        Ok(_) => eprintln!("{} is in memory: not tested", disk.path().display()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn sizes_out_of_bounds_are_refused_by_name() {
    let directory = directory();
    let good = config(directory.path());
    let name = |config: Config| match create(&config) {
        Err(CreateError::Config { name, .. }) => name,
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(
        name(Config {
            ring_bytes: 1,
            ..good.clone()
        }),
        "ring_bytes"
    );
    assert_eq!(
        name(Config {
            ring_bytes: 1 << 20,
            ..good.clone()
        }),
        "max_ring_bytes"
    );
    assert_eq!(
        name(Config {
            data_bytes: 0,
            ..good.clone()
        }),
        "data_bytes"
    );
    assert_eq!(
        name(Config {
            spool_bytes: u64::MAX,
            ..good.clone()
        }),
        "spool_bytes"
    );
    assert_eq!(
        name(Config {
            staging_bytes: 0,
            ..good.clone()
        }),
        "staging_bytes"
    );
    let about = About {
        metadata: vec![0; 2 << 20],
        ..About::default()
    };
    assert_eq!(name(Config { about, ..good }), "metadata");
}

#[test]
fn living_and_dead_arenas_are_told_apart() {
    let place = directory();
    let directory = Directory::open(place.path()).unwrap();
    let mine = owner(place.path());
    let (living, living_path) = child_with_arena(place.path());
    let (dying, dead_path) = child_with_arena(place.path());
    let liveness = |path: &Path| {
        let listed = directory.list().unwrap();
        listed
            .into_iter()
            .find(|it| it.path == path)
            .map(|it| it.liveness)
    };
    assert_eq!(liveness(&dead_path), Some(Liveness::Live));
    kill(dying);
    for _ in 0..3 {
        // Looking must not drop a lock, so it is done more than once.
        assert_eq!(liveness(mine.path().unwrap()), Some(Liveness::Live));
        assert_eq!(liveness(&living_path), Some(Liveness::Live));
        assert_eq!(liveness(&dead_path), Some(Liveness::Dead));
    }
    assert!(directory.claim(&living_path).unwrap().is_none());
    assert!(directory.claim(mine.path().unwrap()).unwrap().is_none());
    assert!(
        directory
            .claim(&place.path().join("gone.arena"))
            .unwrap()
            .is_none()
    );

    let dead = directory.claim(&dead_path).unwrap().unwrap();
    assert!(
        directory.claim(&dead_path).unwrap().is_none(),
        "held already"
    );
    assert_eq!(liveness(&dead_path), Some(Liveness::Live));
    let mut reader = Reader::from_file(dead.file()).unwrap();
    let rings = reader.rings();
    let records = reader.records(&rings[0]);
    assert_eq!(
        records.runs[0].records,
        (0..10).map(|n| Record(span(n))).collect::<Vec<_>>()
    );
    assert_eq!(reader.damage(), []);
    dead.remove().unwrap();
    assert_eq!(liveness(&dead_path), None);

    kill(living);
    mine.close().unwrap();
    let left = directory.list().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].path, living_path);
}

#[test]
fn an_owner_that_is_dropped_leaves_a_dead_arena() {
    let place = directory();
    let owner = owner(place.path());
    let producer = attached(&owner);
    producer.push(span(1)).unwrap();
    let path = owner.path().unwrap().to_owned();
    drop(owner);
    let directory = Directory::open(place.path()).unwrap();
    let dead = directory.claim(&path).unwrap().unwrap();
    let mut reader = Reader::from_file(dead.file()).unwrap();
    // What is recorded from now on goes nowhere.
    let _ = producer.push(span(2));
    let rings = reader.rings();
    assert_eq!(reader.records(&rings[0]).runs[0].records, [Record(span(1))]);
}

#[test]
fn a_reader_finds_what_the_recorder_said_about_itself() {
    let place = directory();
    let about = About {
        capture_id: *b"0123456789abcdef",
        boot_id: *b"fedcba9876543210",
        capture_path: "/captures/a ä.bin".into(),
        start_unix_ns: 1_700_000_000_000_000_000,
        clock: 3,
        ticks_per_second: 2.6e9,
        metadata: b"labels".to_vec(),
    };
    let mut owner = create(&Config {
        about: about.clone(),
        ..config(place.path())
    })
    .unwrap();
    owner.arena().add_event(7, 1, "ORDER_SUBMIT", "ns").unwrap();
    owner.arena().add_event(8, 2, "", "").unwrap();
    let path = owner.path().unwrap().to_owned();
    let named = owner.take_new_events();
    assert_eq!(named.len(), 2);
    assert_eq!(owner.take_new_events(), []);
    drop(owner);
    let bytes = fs::read(path).unwrap();
    let mut reader = Reader::from_bytes(&bytes).unwrap();
    assert_eq!(*reader.about(), about);
    assert_eq!(reader.pid(), std::process::id());
    assert_eq!(reader.events(), named);
    assert_eq!(named[0].name, "ORDER_SUBMIT");
}

#[test]
fn an_event_table_that_is_full_says_so() {
    let place = directory();
    let owner = owner(place.path());
    let arena = owner.arena();
    let name = "n".repeat(perf_arena::MAX_EVENT_NAME_BYTES);
    assert!(arena.add_event(0, 0, &format!("{name}n"), "").is_err());
    assert!(arena.add_event(0, 0, "n", &"u".repeat(300)).is_err());
    let most = (0..100_000).take_while(|&id| arena.add_event(id, 0, &name, "").is_ok());
    assert!((8000..9000).contains(&most.count()));
}

#[test]
fn a_foreign_or_newer_file_is_refused_by_name() {
    let read = |bytes: &[u8]| Reader::from_bytes(bytes).err().unwrap();
    assert!(matches!(read(&[]), ReadError::TooShort { got: 0, .. }));
    assert!(matches!(read(&[7; 5000]), ReadError::Magic { .. }));
    let place = directory();
    let owner = owner(place.path());
    let path = owner.path().unwrap().to_owned();
    drop(owner);
    let mut bytes = fs::read(path).unwrap();
    bytes[10] = 2;
    assert!(read(&bytes).to_string().contains("version 2.0"));
}

#[test]
fn the_child_of_a_fork_never_reaches_the_parents_arena() {
    let place = directory();
    let mut owner = owner(place.path());
    let arena = owner.arena();
    let producer = attached(&owner);
    producer.push(span(1)).unwrap();
    // SAFETY: the child calls only what may be called there: no lock, no allocation, and _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        arena.forget();
        let still = producer.push(span(2)).is_ok();
        producer.forget();
        let refused = producer.push(span(3)) == Err(Rejected::Detached);
        let closed = !arena.is_open();
        // SAFETY: it ends the child, without the destructors that belong to the parent.
        unsafe { libc::_exit(i32::from(!(still && refused && closed))) };
    }
    let mut status = 0;
    // SAFETY: the child is ours and `status` is an int.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    assert_eq!(drain_one(&mut owner), [Record(span(1))]);
    // The parent still holds its lock, as another process sees it.
    assert!(list_elsewhere(place.path()).contains("listed [Live]"));
    producer.push(span(4)).unwrap();
    assert_eq!(drain_one(&mut owner), [Record(span(4))]);
}

/// What another process says of the arenas of a directory.
fn list_elsewhere(directory: &Path) -> String {
    let listed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "list_in_child", "--nocapture"])
        .env(CHILD.to_owned() + "_LIST", directory)
        .output()
        .unwrap();
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

/// Runs in a child process: says how it sees the arenas of a directory.
#[test]
fn list_in_child() {
    let Some(path) = std::env::var_os(CHILD.to_owned() + "_LIST") else {
        return;
    };
    let listed = Directory::open(Path::new(&path)).unwrap().list().unwrap();
    let liveness: Vec<_> = listed.iter().map(|it| it.liveness).collect();
    println!("\nlisted {liveness:?}");
}

#[test]
fn an_owner_dropped_in_the_child_of_a_fork_leaves_the_file_alone() {
    let place = directory();
    let owner = owner(place.path());
    let path = owner.path().unwrap().to_owned();
    // SAFETY: no other thread of this test holds a lock that the child needs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        owner.arena().forget();
        let closed = owner.close().is_ok();
        // SAFETY: it ends the child.
        unsafe { libc::_exit(i32::from(!closed)) };
    }
    let mut status = 0;
    // SAFETY: the child is ours and `status` is an int.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
    assert!(path.exists());
    owner.close().unwrap();
    assert!(!path.exists());
}

#[test]
fn an_owner_that_is_dropped_lets_go_although_a_child_still_has_its_descriptor() {
    let place = directory();
    let owner = owner(place.path());
    let child = forked(|| {});
    drop(owner);
    let directory = Directory::open(place.path()).unwrap();
    let [listed] = directory.list().unwrap().try_into().unwrap();
    assert_eq!(listed.liveness, Liveness::Dead);
    drop(directory.claim(&listed.path).unwrap().unwrap());
    assert!(directory.claim(&listed.path).unwrap().is_some());
    end(child);
}

#[test]
fn a_thousand_arenas_leave_nothing_behind() {
    let place = directory();
    for _ in 0..1000 {
        let owner = owner(place.path());
        let producer = Producer::detached();
        owner.arena().attach(&producer, "brief").unwrap();
        producer.push(span(1)).unwrap();
        owner.close().unwrap();
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

/// What a second copy of this crate does, linked into the same program in another version: it shares no statics with this
/// one, so it looks at all arenas alike.
#[test]
fn another_copy_in_the_same_process_neither_takes_nor_unlocks_an_arena() {
    let place = directory();
    let owner = owner(place.path());
    let path = owner.path().unwrap();
    let open = || File::options().read(true).write(true).open(path).unwrap();
    let fcntl = |command, kind: libc::c_int| {
        let file = open();
        // SAFETY: all fields are integers; zero is a value of each.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = kind as libc::c_short;
        // SAFETY: `lock` is a flock, the descriptor is open.
        let status = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) };
        (status, libc::c_int::from(lock.l_type))
    };
    // By locks of the process, as by those of an open file.
    for (set, get) in [
        (libc::F_SETLK, libc::F_GETLK),
        (libc::F_OFD_SETLK, libc::F_OFD_GETLK),
    ] {
        assert_eq!(fcntl(get, libc::F_WRLCK), (0, libc::F_WRLCK), "locked");
        assert_eq!(fcntl(set, libc::F_WRLCK).0, -1, "not to be had");
        assert_eq!(
            fcntl(set, libc::F_UNLCK).0,
            0,
            "there is nothing of ours to unlock"
        );
    }
    drop(open());
    let directory = Directory::open(place.path()).unwrap();
    assert!(directory.claim(path).unwrap().is_none());
    assert_eq!(directory.list().unwrap()[0].liveness, Liveness::Live);
    assert!(list_elsewhere(place.path()).contains("listed [Live]"));
}

/// Sleeps in the child of a fork until it is killed.
fn forked(prepare: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child calls only `prepare`, which needs no lock of another thread, and waits.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        prepare();
        loop {
            // SAFETY: no precondition.
            unsafe { libc::pause() };
        }
    }
    pid
}

/// Kills a process that is a child or grandchild of this one, and waits for it if it is a child.
fn end(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the process is of this test's making; `status` is valid for writing.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, &raw mut status, 0);
    }
}

#[test]
fn a_child_that_outlives_its_parent_does_not_keep_the_arena_alive_once_it_has_forgotten_it() {
    for forgets in [true, false] {
        let place = directory();
        let mut pipe = [0; 2];
        // SAFETY: there is room for two descriptors.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        let parent = forked(|| {
            let owner = owner(place.path());
            let child = forked(|| {
                if forgets {
                    owner.arena().forget();
                }
                let own = std::process::id().to_ne_bytes();
                // SAFETY: the buffer has the length that is given.
                unsafe { libc::write(pipe[1], own.as_ptr().cast(), own.len()) };
            });
            assert!(child > 0);
            std::mem::forget(owner);
        });
        let mut child = [0; 4];
        // SAFETY: the buffer has the length that is given. Both ends of the pipe are this test's.
        let got = unsafe {
            let got = libc::read(pipe[0], child.as_mut_ptr().cast(), child.len());
            libc::close(pipe[0]);
            libc::close(pipe[1]);
            got
        };
        assert_eq!(got, 4);
        let directory = Directory::open(place.path()).unwrap();
        let liveness = || directory.list().unwrap()[0].liveness;
        assert_eq!(liveness(), Liveness::Live);
        end(parent);
        let expected = if forgets {
            Liveness::Dead
        } else {
            Liveness::Live
        };
        assert_eq!(liveness(), expected);
        end(i32::from_ne_bytes(child));
        // Nobody here can wait for a grandchild.
        let begun = std::time::Instant::now();
        while liveness() != Liveness::Dead {
            assert!(begun.elapsed().as_secs() < 60, "the child is dead as well");
            std::thread::yield_now();
        }
    }
}
