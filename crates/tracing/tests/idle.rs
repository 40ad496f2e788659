//! A program that is recorded for a part of its life. Alone in its process: nothing else may record.

mod common;

use common::record;
use perf_tracing::Layer;
use tracing::info_span;
use tracing_subscriber::layer::SubscriberExt;

#[test]
fn nothing_is_kept_while_nothing_records() {
    let subscriber = tracing_subscriber::registry().with(Layer::new());
    tracing::subscriber::with_default(subscriber, || {
        let before = info_span!("before");
        let recorded = record(|| {
            before.in_scope(|| info_span!("during").in_scope(|| ()));
            drop(before);
        });
        assert_eq!(
            recorded.counts().into_keys().collect::<Vec<_>>(),
            ["during/ok"]
        );
    });
}
