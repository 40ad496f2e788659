"""Asks DuckDB or Polars what `perf-analyze` was asked, of the spans that it exported as Parquet.

analysis.py ENGINE QUESTION SPANS THREADS [EVENT BOUND_NS | OUT]

Prints one JSON object: `seconds` of the query alone, `peak_kib` of the process, and the `answer`. The engine is imported and
warm before the clock starts, as in a notebook.
"""

import json
import resource
import sys
import time

QUANTILES = [0.5, 0.95, 0.99, 0.999]


def duckdb_answer(question, spans, threads, rest):
    import duckdb

    base = duckdb.connect()
    base.execute(f"set threads = {threads}")
    base.execute("set enable_progress_bar = false")
    source = f"read_parquet('{spans}')"
    if question == "exact":
        query = f"""select event, count(*), max(duration_ns), quantile_disc(duration_ns, {QUANTILES})
            from {source} where outcome = 'ok' group by event"""
    elif question == "bins":
        query = f"""select event, count(*), max(duration_ns), approx_quantile(duration_ns, {QUANTILES})
            from {source} where outcome = 'ok' group by event"""
    elif question == "traces":
        query = f"""select count(*), max(took) from (
            select max(start_ns + duration_ns) - min(start_ns) as took
            from {source} where trace_id is not null group by trace_id)"""
    elif question == "sla":
        query = f"select count(*), count(*) filter (duration_ns >= {rest[1]}) from {source} where event = '{rest[0]}'"
    elif question == "export":
        query = f"copy (select * from {source}) to '{rest[0]}' (format parquet, compression zstd)"
    else:
        sys.exit(f"no such question: {question}")
    start = time.perf_counter()
    rows = base.execute(query).fetchall()
    return time.perf_counter() - start, rows


def polars_answer(question, spans, threads, rest):
    import os

    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    source = pl.scan_parquet(spans)
    took = pl.col("duration_ns")
    if question == "exact":
        quantiles = [took.quantile(q, interpolation="equiprobable").alias(str(q)) for q in QUANTILES]
        query = (
            source.filter(pl.col("outcome") == "ok")
            .group_by("event")
            .agg(pl.len(), took.max().alias("max"), *quantiles)
        )
    elif question == "traces":
        end = (pl.col("start_ns") + took).max()
        query = (
            source.filter(pl.col("trace_id").is_not_null())
            .group_by("trace_id")
            .agg((end - pl.col("start_ns").min()).alias("took"))
            .select(pl.len(), pl.col("took").max())
        )
    elif question == "sla":
        over = (took >= int(rest[1])).sum()
        query = source.filter(pl.col("event") == rest[0]).select(pl.len(), over)
    elif question == "export":
        start = time.perf_counter()
        source.sink_parquet(rest[0], compression="zstd")
        return time.perf_counter() - start, []
    else:
        sys.exit(f"no such question: {question}")
    start = time.perf_counter()
    rows = query.collect(engine="streaming").rows()
    seconds = time.perf_counter() - start
    if question == "exact":
        rows = [(row[0], row[1], row[2], list(row[3:])) for row in rows]
    return seconds, rows


def answer(question, rows):
    """The rows as numbers by name, as `perf-analyze` gives them."""
    if question in ("exact", "bins"):
        numbers = {}
        for event, count, most, quantiles in rows:
            numbers |= {f"{event} count": count, f"{event} max": most}
            numbers |= {f"{event} {q * 100:g}": value for q, value in zip(QUANTILES, quantiles)}
        return numbers
    if question == "traces":
        return {"traces": rows[0][0], "max": rows[0][1]}
    if question == "sla":
        return {"count": rows[0][0], "over": rows[0][1]}
    return {}


engine, question, spans, threads, *rest = sys.argv[1:]
ask = {"DuckDB": duckdb_answer, "Polars": polars_answer}[engine]
seconds, rows = ask(question, spans, int(threads), rest)
print(
    json.dumps(
        {
            "seconds": seconds,
            "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "answer": answer(question, rows),
        }
    )
)
