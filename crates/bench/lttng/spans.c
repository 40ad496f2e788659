/* The spans of LTTng-UST, loaded by src/peers/lttng.rs. Built by `cargo xtask bench --peers`. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "spans.h"

void perf_bench_spans(unsigned long count) {
    for (unsigned long i = 0; i < count; i++) {
        lttng_ust_tracepoint(perf_bench, begin, 7);
        lttng_ust_tracepoint(perf_bench, end, 7);
    }
}
