"""Reads what `perf-analyze export` writes with other people's programs, and holds it against the program's own reports.

Usage: run.py PERF_ANALYZE CAPTURE. Every check is a function; the last line is counted by `cargo xtask test`.
"""

import json
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from hdrh.log import HistogramLogReader
from hdrh.histogram import HdrHistogram

import perfetto_reader

ROOT = Path(__file__).resolve().parents[2]
PROGRAM, CAPTURE = sys.argv[1], sys.argv[2]
OUT = Path(tempfile.mkdtemp(prefix="perf-ecosystem-"))
TABLES = ["spans", "values", "traces", "annotations", "events", "captures", "bins"]
QUANTILES = ["50", "95", "99", "99.9"]


def run(*args, text=True):
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=text, check=False)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


class sql:
    """A query, as DuckDB answers it."""

    def __init__(self, query):
        self.relation = duckdb.sql(query)

    def fetchall(self):
        return self.relation.fetchall()

    def fetchone(self):
        return self.fetchall()[0]

    def to_arrow_table(self):
        return self.relation.to_arrow_table()


def report(*args):
    return json.loads(run("report", CAPTURE, "--exact", "--format", "json", *args))


def exact_rows():
    rows = [row for row in REPORT["events"] if row["kind"] == "span"]
    assert len(rows) > 5, "the capture has spans"
    return {(row["event"], row["outcome"]): row for row in rows}


def table(name):
    (path,) = (OUT / "all" / name).glob("*.parquet")
    return path


def rank(quantile, count):
    """The rank of the report's percentile: the least that has at least the share `quantile` of all at or below it."""
    thousandths = round(float(quantile) * 1000)
    return max(1, -(-thousandths * count // 100_000))


def check_durations(durations_of):
    """`durations_of` maps event and outcome to sorted durations."""
    rows = exact_rows()
    assert set(durations_of) == set(rows)
    for key, row in rows.items():
        mine = durations_of[key]
        assert len(mine) == row["count"], key
        assert (mine[0], mine[-1]) == (row["min"], row["max"]), key
        # The report sums ticks and rounds once; each row here was rounded to a whole ns.
        assert abs(sum(mine) - row["sum"]) <= len(mine) / 2 + 1, (key, sum(mine), row["sum"])
        for quantile in QUANTILES:
            value = row["percentiles"][quantile]
            assert mine[rank(quantile, len(mine)) - 1] == value, (key, quantile)


def test_duckdb_spans_agree_with_the_exact_report():
    rows = sql(
        f"SELECT event, outcome, list(duration_ns ORDER BY duration_ns) FROM '{table('spans')}' GROUP BY ALL"
    ).fetchall()
    check_durations({(event, outcome): durations for event, outcome, durations in rows})


def test_polars_spans_agree_with_the_exact_report():
    frame = pl.read_parquet(table("spans"))
    groups = frame.group_by("event", "outcome").agg(pl.col("duration_ns").sort())
    check_durations({(event, outcome): durations for event, outcome, durations in groups.rows()})


def test_pyarrow_spans_agree_with_the_exact_report():
    spans = pq.read_table(table("spans")).to_pydict()
    durations = {}
    for event, outcome, duration in zip(spans["event"], spans["outcome"], spans["duration_ns"]):
        durations.setdefault((event, outcome), []).append(duration)
    check_durations({key: sorted(mine) for key, mine in durations.items()})


def test_every_table_is_read_alike_by_all_three():
    for name in TABLES:
        path = table(name)
        arrow = pq.read_table(path)
        polars = pl.read_parquet(path)
        duck = sql(f"SELECT * FROM '{path}'").to_arrow_table()
        assert arrow.num_rows == polars.height == duck.num_rows > 0, name
        assert arrow.column_names == polars.columns == duck.column_names, name
        rows = arrow.to_pylist()
        assert rows == polars.to_dicts(), name
        assert rows == duck.to_pylist(), name


def test_traces_agree_with_the_trace_report():
    told = json.loads(run("traces", CAPTURE, "--format", "json"))
    flows = {flow["flow"]: flow for flow in told["flows"]}
    path = table("traces")
    rows = sql(
        f"""SELECT flow, count(*), min(end_to_end_ns), max(end_to_end_ns), sum(end_to_end_ns),
                   sum(CASE WHEN failed > 0 THEN 1 ELSE 0 END), sum(spans),
                   bool_and(list_sum(list_transform(stages, lambda s: s.own_ns)) = end_to_end_ns)
            FROM '{path}' GROUP BY flow"""
    ).fetchall()
    assert sum(row[1] for row in rows) == told["traces"]
    assert sum(row[6] for row in rows) == told["spans"]
    assert {row[0] for row in rows} == set(flows)
    for flow, count, least, most, total, failed, _, adds_up in rows:
        own = flows[flow]
        assert (count, failed) == (own["count"], own["failed"]), flow
        assert (least, most) == (own["end_to_end"]["min"], own["end_to_end"]["max"]), flow
        # The report sums ticks and rounds once; each row here was rounded.
        assert abs(total / count - own["end_to_end"]["mean"]) <= 1, flow
        assert adds_up, f"the stages of a trace of {flow} do not add up to its time"
    slowest = sql(
        f"SELECT printf('%016x', trace_id), start_ns, end_to_end_ns, lag_ns, response_ns, flow FROM '{path}' "
        "ORDER BY end_to_end_ns DESC LIMIT 5"
    ).fetchall()
    own = [
        (
            trace["trace"],
            int(trace["start_unix_ns"]),
            trace["end_to_end_ns"],
            trace["lag_ns"],
            trace["response_ns"],
            trace["flow"],
        )
        for trace in told["slowest"][:5]
    ]
    assert slowest == own, (slowest, own)


def test_values_agree_with_the_report():
    rows = sql(
        f"SELECT event, kind, count(*), sum(value)::BIGINT, min(value), max(value) FROM '{table('values')}' GROUP BY ALL"
    ).fetchall()
    own = {row["event"]: row for row in REPORT["events"] if row["kind"] != "span"}
    assert {row[0] for row in rows} == set(own)
    for event, kind, count, total, least, most in rows:
        row = own[event]
        assert (kind, count, least, most) == (row["kind"], row["count"], row["min"], row["max"]), event
        if kind != "gauge":
            assert total == row["sum"], event


def test_annotations_are_all_there():
    kinds = dict(sql(f"SELECT kind, count(*) FROM '{table('annotations')}' GROUP BY ALL").fetchall())
    (capture,) = REPORT["captures"]
    spans_and_values = sum(row["count"] for row in REPORT["events"])
    assert sum(kinds.values()) == capture["records"] - spans_and_values
    due = sql(
        f"""SELECT count(*), bool_and(a.int = t.due_ns) FROM '{table("annotations")}' a
            JOIN '{table("traces")}' t USING (trace_id) WHERE a.kind = 'due'"""
    ).fetchone()
    assert due == (kinds["due"], True), due


def test_captures_tell_what_the_report_tells():
    (row,) = pq.read_table(table("captures")).to_pylist()
    (own,) = REPORT["captures"]
    for column in ["records", "spans", "lost", "open_spans", "bytes", "host", "pid", "command", "state"]:
        assert row[column] == own[column], column
    assert row["capture"] == own["capture_id"]
    assert row["start_ns"] == int(own["start_unix_ns"])
    assert json.loads(row["labels"]) == own["labels"]
    about = pq.read_metadata(table("spans")).metadata
    assert about[b"perf.capture"].decode() == own["capture_id"]
    assert about[b"perf.label.program"].decode() == own["labels"]["program"]


def test_parquet_has_what_engines_skip_by():
    file = pq.ParquetFile(table("spans"))
    names = file.schema_arrow.names
    start, trace = names.index("start_ns"), names.index("trace_id")
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        times = file.read_row_group(number, columns=["start_ns"]).column(0).to_pylist()
        assert times == sorted(times)
        column = group.column(start)
        assert (column.statistics.min, column.statistics.max) == (times[0], times[-1])
        assert column.has_offset_index and column.has_column_index
        assert column.compression == "ZSTD"
        assert [(key.column_index, key.descending) for key in group.sorting_columns] == [(start, False)]
    assert pa.types.is_dictionary(file.schema_arrow.field("event").type)
    (bloom,) = sql(
        f"SELECT count(bloom_filter_offset) FROM parquet_metadata('{table('spans')}') WHERE path_in_schema = 'trace_id'"
    ).fetchone()
    assert bloom == file.num_row_groups
    id_of_one = pq.read_table(table("spans"), columns=["trace_id"]).column(0)[17].as_py()
    probe = sql(
        f"SELECT bool_or(NOT bloom_filter_excludes) FROM "
        f"parquet_bloom_probe('{table('spans')}', 'trace_id', {id_of_one}::UBIGINT)"
    ).fetchone()
    assert probe == (True,)
    assert trace >= 0


def documented_sql():
    """The query of the documentation: what is printed there is what runs here."""
    text = (ROOT / "crates/export/TABLES.md").read_text()
    (_, rest) = text.split("<!-- percentiles of bins -->", 1)
    return rest.split("```sql", 1)[1].split("```", 1)[0]


def bins_by_sql(pattern):
    query = documented_sql().replace("out/bins/*.parquet", pattern)
    return {(row[0], row[1]): row[2:] for row in sql(query).fetchall()}


def check_bins(found, width):
    rows = exact_rows()
    assert set(found) == set(rows)
    for key, (count, *values) in found.items():
        row = rows[key]
        assert count == row["count"], key
        for quantile, value in zip(QUANTILES, values):
            exact = row["percentiles"][quantile]
            assert exact <= value <= exact + exact / width, (key, quantile, exact, value)


def test_the_documented_sql_finds_the_percentiles_in_bins():
    check_bins(bins_by_sql(str(OUT / "all/bins/*.parquet")), 128)


def test_bins_of_three_digits_and_short_slots_merge_to_the_same():
    run("export", CAPTURE, "-o", str(OUT / "fine"), "--table", "bins", "--digits", "3", "--slot", "1s", "-q")
    check_bins(bins_by_sql(str(OUT / "fine/bins/*.parquet")), 1024)
    slots = sql(
        f"SELECT count(DISTINCT slot_unix_ns), bool_and(slot_unix_ns % 1000000000 = 0) FROM '{OUT}/fine/bins/*.parquet'"
    ).fetchone()
    assert slots[0] >= 30 and slots[1], slots


def test_partitions_hold_the_same_rows():
    out = OUT / "lake"
    for _ in range(2):  # The second time replaces the first.
        run("export", CAPTURE, "-o", str(out), "--partition-by", "date,host,event", "--table", "spans", "-q")
    lake = f"read_parquet('{out}/spans/**/*.parquet', hive_partitioning = true)"
    columns = "start_ns, duration_ns, event, outcome, trace_id, thread, capture, host"
    same = sql(
        f"SELECT count(*) FROM (SELECT {columns} FROM {lake} EXCEPT ALL SELECT {columns} FROM '{table('spans')}')"
    ).fetchone()
    assert same == (0,)
    count = sum(row["count"] for row in exact_rows().values())
    assert sql(f"SELECT count(*) FROM {lake}").fetchone() == (count,)
    dataset = ds.dataset(out / "spans", partitioning="hive")
    assert dataset.count_rows() == count
    # A narrower export takes away what it no longer has.
    run("export", CAPTURE, "-o", str(out), "--partition-by", "date,host,event", "--table", "spans", "--event", "ORDER_*", "-q")
    events = {path.name for path in out.glob("spans/*/*/*")}
    assert events and all(event.startswith("event=ORDER_") for event in events), events
    assert not list(out.glob("**/.perf-analyze-*"))


def test_an_arrow_stream_comes_through_a_pipe():
    stream = run("export", CAPTURE, "--to", "arrow", "--table", "spans", "--timestamps", "-o", "-", text=False)
    arrow = pa.ipc.open_stream(stream).read_all()
    assert arrow.num_rows == sum(row["count"] for row in exact_rows().values())
    assert arrow.schema.field("start").type == pa.timestamp("ns", "UTC")
    assert arrow.column("start")[0].value == arrow.column("start_ns")[0].as_py()
    own = pq.read_table(table("spans"))
    assert arrow.drop_columns(["start"]).to_pylist() == own.to_pylist()


def test_csv_and_ndjson_hold_the_same():
    columns = "start_ns,duration_ns,event,outcome,thread"
    args = ["--table", "spans", "--columns", columns, "-o", "-"]
    own = pq.read_table(table("spans"), columns=columns.split(",")).to_pylist()
    (OUT / "s.csv").write_text(run("export", CAPTURE, "--to", "csv", *args))
    (OUT / "s.ndjson").write_text(run("export", CAPTURE, "--to", "ndjson", *args))
    assert pl.read_csv(OUT / "s.csv").to_dicts() == own
    assert pl.read_ndjson(OUT / "s.ndjson").to_dicts() == own


def test_an_interval_log_is_read_by_hdrhistogram():
    log = OUT / "c.hlog"
    # Its Python reader walks every bin, so a few events must do.
    run("export", CAPTURE, "--to", "hlog", "--slot", "20s", "--event", "ORDER_*", "-o", str(log), "-q")
    sums = {}
    intervals = 0
    reader = HistogramLogReader(str(log), HdrHistogram(1, 2**36, 3))
    while (histogram := reader.get_next_interval_histogram()) is not None:
        intervals += 1
        whole = sums.setdefault(histogram.get_tag(), HdrHistogram(1, 2**36, 3))
        whole.add(histogram)
    spans = pq.read_table(table("spans"), columns=["event", "outcome", "duration_ns"]).to_pydict()
    own = {}
    for event, outcome, duration in zip(spans["event"], spans["outcome"], spans["duration_ns"]):
        if not event.startswith("ORDER_"):
            continue
        tag = event if outcome == "ok" else f"{event}:{outcome}"
        own.setdefault(tag, HdrHistogram(1, 2**36, 3)).record_value(duration)
    assert set(sums) == set(own) and intervals > len(own)
    for tag, histogram in own.items():
        assert sums[tag].get_total_count() == histogram.get_total_count(), tag
        for at in (50, 99, 100):
            assert sums[tag].get_value_at_percentile(at) == histogram.get_value_at_percentile(at), (tag, at)


def test_a_perfetto_trace_nests_and_flows():
    path = OUT / "c.perfetto-trace"
    run("export", CAPTURE, "--to", "perfetto", "-o", str(path), "-q")
    trace = perfetto_reader.read(path.read_bytes())
    durations = {}
    for name, duration, outcome in trace.slices:
        durations.setdefault((name, outcome), []).append(duration)
    check_durations({key: sorted(mine) for key, mine in durations.items()})
    spans = pq.read_table(table("spans"), columns=["trace_id", "thread"]).to_pydict()
    assert trace.flows == {trace_id for trace_id in spans["trace_id"] if trace_id is not None}
    assert set(trace.threads.values()) == set(spans["thread"])
    for row in REPORT["events"]:
        if row["kind"] == "counter":
            assert trace.counters[row["event"]][-1] == row["sum"]
        if row["kind"] == "gauge":
            assert len(trace.counters[row["event"]]) == row["count"]


def test_otlp_comes_back_through_import():
    path, capture, out = OUT / "c.json", OUT / "c.bin", OUT / "again"
    run("export", CAPTURE, "--to", "otlp-json", "-o", str(path), "-q")
    run("import", str(path), "-o", str(capture), "-q")
    run("export", str(capture), "-o", str(out), "--table", "spans,annotations", "-q")
    columns = "event, start_ns, duration_ns, outcome, trace_id, thread"
    difference = sql(
        f"""SELECT count(*) FROM (SELECT {columns} FROM '{table("spans")}' WHERE trace_id IS NOT NULL
            EXCEPT ALL SELECT {columns} FROM '{out}/spans/*.parquet')"""
    ).fetchone()
    assert difference == (0,)
    again = sql(f"SELECT count(*) FROM '{out}/spans/*.parquet'").fetchone()
    there = sql(f"SELECT count(trace_id) FROM '{table('spans')}'").fetchone()
    assert again == there
    notes = "SELECT trace_id, key, kind, text FROM '{}'"
    lost = sql(f"{notes.format(table('annotations'))} EXCEPT ALL {notes.format(f'{out}/annotations/*.parquet')}")
    assert lost.fetchall() == []


def test_violations_join_with_traces():
    path = OUT / "violations.parquet"
    rules = ["--sla", "e2e:p99<1ms", "--sla", "GC_PAUSE:max<1ms"]
    judged = json.loads(run("sla", CAPTURE, *rules, "--parquet", str(path), "--format", "json"))
    listed = [
        (violation["event"], int(violation["end_unix_ns"]), violation["value"], violation["trace"])
        for violation in judged["violations"]
    ]
    assert len(listed) > 100
    rows = sql(
        f"""SELECT event, end_unix_ns, value, CASE WHEN trace_id IS NOT NULL THEN printf('%016x', trace_id) END
            FROM '{path}'"""
    ).fetchall()
    assert sorted(rows, key=str) == sorted(listed, key=str)
    ended = sql(
        f"""SELECT count(*), bool_and(v.value = t.end_to_end_ns)
            FROM '{path}' v JOIN '{table("traces")}' t USING (trace_id) WHERE v.flow IS NOT NULL"""
    ).fetchone()
    assert ended == (sum(1 for row in listed if row[3]), True), ended
    pairs = f"SELECT unnest(annotations) AS pair FROM '{path}'"
    assert sql(f"SELECT count(*) FROM ({pairs}) WHERE pair.key = 'symbol'").fetchone()[0] > 0
    frame = pl.read_parquet(path)
    assert frame.height == len(listed) == pq.read_table(path).num_rows


REPORT = report()
run("export", CAPTURE, "-o", str(OUT / "all"), "-q")

passed, failed = 0, 0
for name, test in sorted(globals().items()):
    if name.startswith("test_"):
        try:
            test()
        except Exception:  # Every check is to be run, whatever it meets.
            traceback.print_exc()
            failed += 1
            print(f"test {name} ... FAILED")
        else:
            passed += 1
            print(f"test {name} ... ok")
verdict = "FAILED" if failed else "ok"
print(f"test result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out")
sys.exit(failed > 0)
