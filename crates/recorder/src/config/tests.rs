use std::time::Duration;

use super::*;
use crate::backend::ForkPolicy;
use crate::builder::Destination;
use crate::sampling::Sampling;
use crate::writer::SyncPolicy;

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Option<Builder>, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    from_text(text, variables.collect()).map_err(|wrong| wrong.0)
}

fn builder(text: &str) -> Builder {
    with(text, &[]).expect(text).expect("enabled")
}

#[test]
fn the_seed_systems_file_works_as_it_is() {
    let builder = builder(
        "\
metrics:
  enabled: true
  sampling: {default_rate: 1.0, adaptive: true, high_load_threshold: 100000, high_load_rate: 0.1}
  buffer:
    size: 65536
    overflow_strategy: drop
  aggregation: {interval_ms: 1000, percentiles: [50, 99.9]}
  export: [csv]
  sla_thresholds:
    ORDER_EXECUTION: 5000000
    CANDLE_PROCESSING: 50_000_000
  sla:
    - ORDER_EXECUTION:p99.9<5ms
",
    );
    let settings = builder.settings;
    assert_eq!(settings.arena.max_ring_bytes, 2 << 20);
    assert_eq!(settings.arena.ring_bytes, 256 << 10);
    assert_eq!(settings.interval, Duration::from_secs(1));
    assert_eq!(settings.remarks, [] as [String; 0]);
    assert!(matches!(builder.destination, Destination::None));
    let sampling = Sampling::new()
        .high_load(1e5, 0.1)
        .keep_above("ORDER_EXECUTION", Duration::from_millis(5))
        .keep_above("CANDLE_PROCESSING", Duration::from_millis(50));
    assert_eq!(settings.sampling, sampling);
}

#[test]
fn the_recorders_keys_are_its_builders_methods() {
    let text = "\
metrics:
  buffer: {size: 1000, overflow_strategy: overwrite}
  aggregation: {interval_ms: 250}
  recorder:
    capture: captures/
    labels:
      version: 1.10
      host: ${HOST:-somewhere}
    sync: 500
    fork: follow
    salvage: false
    drainer_nice: -5
    patience_ms: 2_000
    arena_directory: /dev/shm/mine
    ring_bytes: 20000
    max_memory_bytes: 1048576
    spool_bytes: 2097152
";
    let Builder {
        destination,
        settings,
    } = builder(text);
    assert!(matches!(destination, Destination::Path(path) if path == Path::new("captures/")));
    let labels = [("host", "somewhere"), ("version", "1.10")];
    assert_eq!(
        settings.labels,
        labels.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    assert_eq!(settings.sync, SyncPolicy::Every(Duration::from_millis(500)));
    assert_eq!(settings.fork, ForkPolicy::Follow);
    assert!(!settings.salvage);
    assert_eq!(settings.drainer_nice, Some(-5));
    assert_eq!(settings.patience, Duration::from_secs(2));
    assert_eq!(settings.interval, Duration::from_millis(250));
    let arena = settings.arena;
    assert_eq!(arena.directory.as_deref(), Some(Path::new("/dev/shm/mine")));
    assert_eq!(
        (arena.ring_bytes, arena.max_ring_bytes),
        (32 << 10, 32 << 10)
    );
    assert_eq!((arena.data_bytes, arena.spool_bytes), (1 << 20, 2 << 20));
    assert_eq!(settings.remarks.len(), 1, "of the strategy");
}

#[test]
fn keys_of_parts_are_their_builders_methods() {
    let text = "\
metrics:
  recorder:
    rotate_bytes: 64_000_000
    rotate_every_s: 3600
    keep_bytes: 1000000000
    keep_for_s: ${DAYS_S:-604800}
    preallocate_bytes: 0
    compress_closed: 3
";
    let parts = builder(text).settings.parts;
    assert_eq!(parts.rotate_bytes, Some(64_000_000));
    assert_eq!(parts.rotate_every, Some(Duration::from_secs(3_600)));
    assert_eq!(parts.keep_bytes, Some(1_000_000_000));
    assert_eq!(parts.keep_for, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(parts.preallocate_bytes, Some(0));
    assert_eq!(parts.compress, Some(3));
    let none = builder("metrics: {recorder: {capture: x/}}").settings.parts;
    assert!(!none.is_rotating() && !none.is_retaining());
}

#[test]
fn rates_are_read_and_left_alone_where_they_are_not_adaptive() {
    let sampling = |keys: &str| {
        let text = format!("metrics:\n  sampling: {keys}\n");
        builder(&text).settings.sampling
    };
    assert_eq!(
        sampling("{default_rate: 0.01, high_load_threshold: 10, high_load_rate: 0.001}"),
        Sampling::new().rate(0.01)
    );
    assert_eq!(
        sampling("{adaptive: true}"),
        Sampling::new().high_load(1e6, 0.1)
    );
    assert_eq!(
        sampling(
            "{adaptive: true, high_load_threshold: 5_000, high_load_rate: 0, events: {A: 1, B: 0.5}}"
        ),
        Sampling::new()
            .high_load(5e3, 0.0)
            .event_rate("A", 1.0)
            .event_rate("B", 0.5)
    );
}

#[test]
fn variables_stand_for_whole_values_and_parts_and_numbers() {
    let text = "\
metrics:
  aggregation:
    interval_ms: ${EVERY}
  recorder:
    capture: ${DIR:-captures}/${NAME}.bin
    labels:
      quoted: '${NAME}'
      empty: ${EMPTY:-none}
";
    let variables = [("EVERY", "20"), ("NAME", "a: b # c"), ("EMPTY", "")];
    let Builder {
        destination,
        settings,
    } = with(text, &variables).expect("well").expect("enabled");
    assert!(
        matches!(&destination, Destination::Path(path) if path == Path::new("captures/a: b # c.bin"))
    );
    assert_eq!(settings.interval, Duration::from_millis(20));
    let values: Vec<_> = settings
        .labels
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(values, ["none", "${NAME}"]);
}

#[test]
fn a_file_that_turns_it_off_is_checked_all_the_same() {
    let off = with("metrics: {enabled: false, recorder: {capture: x/}}", &[]);
    assert!(off.expect("well").is_none());
    assert!(with("metrics: {enabled: false, buffer: {size: x}}", &[]).is_err());
    for nothing in [
        "",
        "# nothing\n",
        "metrics:\n",
        "metrics: {enabled: true}\n",
    ] {
        assert!(with(nothing, &[]).expect(nothing).is_some(), "{nothing}");
    }
}

#[test]
fn what_is_wrong_is_placed() {
    for (text, place, word) in [
        ("metric: {}\n", "line 1, column 1", "metric"),
        ("metrics:\n  sample: {}\n", "line 2, column 3", "sample"),
        (
            "metrics:\n  sampling: {rate: 1}\n",
            "line 2, column 14",
            "rate",
        ),
        (
            "metrics:\n  sampling: {default_rate: 10%}\n",
            "line 2, column 28",
            "`default_rate` is a share, from 0 to 1, not `10%`",
        ),
        (
            "metrics:\n  sampling:\n    events: {A: 1.5}\n",
            "line 3, column 17",
            "a share",
        ),
        (
            "metrics:\n  sla_thresholds: {A: 5ms}\n",
            "line 2, column 23",
            "a whole number of ns",
        ),
        (
            "metrics:\n  recorder:\n    captures: x\n",
            "line 3, column 5",
            "captures",
        ),
        (
            "metrics:\n  enabled: maybe\n",
            "line 2, column 12",
            "`enabled` is `true` or `false`, not `maybe`",
        ),
        (
            "metrics:\n  aggregation: {interval_ms: 1s}\n",
            "line 2, column 30",
            "`interval_ms` is a whole number of ms, from 1 to 86400000, not `1s`",
        ),
        (
            "metrics:\n  aggregation: {percentiles: [50, 101]}\n",
            "line 2, column 35",
            "from 0 to 100, not `101`",
        ),
        (
            "metrics:\n  buffer: {size: 64 KiB}\n",
            "line 2, column 18",
            "records",
        ),
        (
            "metrics:\n  buffer: {size: 0}\n",
            "line 2, column 18",
            "records",
        ),
        (
            "metrics:\n  buffer: {overflow_strategy: block}\n",
            "line 2, column 31",
            "`drop_newest` or",
        ),
        (
            "metrics:\n  recorder: {rotate_bytes: 1000}\n",
            "line 2, column 28",
            "`rotate_bytes` is a number of bytes, from 65536 to",
        ),
        (
            "metrics:\n  recorder: {rotate_every_s: 1h}\n",
            "line 2, column 30",
            "`rotate_every_s` is a whole number of seconds, from 1 to",
        ),
        (
            "metrics:\n  recorder: {rotate_every: 3600}\n",
            "line 2, column 14",
            "rotate_every",
        ),
        (
            "metrics:\n  recorder: {compress_closed: 22}\n",
            "line 2, column 31",
            "a level of compression, from 1 to 19",
        ),
        (
            "metrics:\n  recorder: {sync: 1s}\n",
            "line 2, column 20",
            "a number of ms",
        ),
        (
            "metrics:\n  recorder:\n    capture: ${NOT_SET}/\n",
            "line 3, column 14",
            "NOT_SET",
        ),
        (
            "metrics:\n  recorder:\n    capture: '${HOME}/'\n",
            "line 3, column 14",
            "without quotes",
        ),
        (
            "metrics:\n  recorder: {capture: a}\n  recorder: {capture: b}\n",
            "line 3, column 3",
            "",
        ),
        (
            "metrics:\n  recorder:\n    flight: {on_signal: SIGKILL}\n",
            "line 3, column 25",
            "`SIGUSR2`",
        ),
        (
            "metrics:\n  recorder:\n    flight: {window_ms: 0}\n",
            "line 3, column 25",
            "whole number of ms",
        ),
        (
            "metrics:\n  recorder:\n    flight: {window: 30}\n",
            "line 3, column 14",
            "window",
        ),
        ("metrics: [\n", "line 1, column 10", ""),
    ] {
        let message = match with(text, &[]) {
            Ok(_) => panic!("accepted: {text}"),
            Err(message) => message,
        };
        assert!(
            message.contains(place) && message.contains(word),
            "{text}: {message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_flight_recorder_is_armed_by_its_keys_and_the_thresholds() {
    let text = "
metrics:
  sla_thresholds: {ORDER: 5_000_000}
  buffer: {overflow_strategy: overwrite}
  recorder:
    spool_bytes: 1048576
    flight:
      window_ms: 10_000
      after_ms: 0
      quiet_ms: 250
      on_panic: false
      on_signal: SIGUSR2
      max_bytes: 8388608
";
    let settings = with(text, &[])
        .expect("accepted")
        .expect("enabled")
        .settings;
    let asked = crate::Flight::last(Duration::from_secs(10))
        .after(Duration::ZERO)
        .quiet_for(Duration::from_millis(250))
        .on_panic(false)
        .on_signal(signal_hook::consts::SIGUSR2)
        .max_bytes(8 << 20)
        .keep_above("ORDER", Duration::from_millis(5));
    assert_eq!(settings.flight, Some(asked));
    assert_eq!(settings.arena.spool_bytes, 8 << 20);
    assert_eq!(
        settings.remarks,
        Vec::<String>::new(),
        "a window does overwrite"
    );

    let settings = with("metrics: {recorder: {flight: {}}}", &[]);
    let settings = settings.expect("accepted").expect("enabled").settings;
    let usual = crate::Flight::last(Duration::from_secs(30));
    assert_eq!(settings.flight, Some(usual));
}
