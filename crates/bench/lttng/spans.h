/* Two events a span, as Trace Compass reads them. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER perf_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./spans.h"

#if !defined(PERF_BENCH_SPANS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define PERF_BENCH_SPANS_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(
    perf_bench, begin,
    LTTNG_UST_TP_ARGS(unsigned, event),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(unsigned, event, event)))

LTTNG_UST_TRACEPOINT_EVENT(
    perf_bench, end,
    LTTNG_UST_TP_ARGS(unsigned, event),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(unsigned, event, event)))

#endif

#include <lttng/tracepoint-event.h>
