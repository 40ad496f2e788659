//! The violations of an SLA as Parquet, for notebooks: a row each, to be joined with the other tables by `trace_id`.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    StringDictionaryBuilder, StructBuilder, UInt64Builder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use perf_analysis::Number;
use perf_analysis::report::Outcome;
use perf_analysis::sla::{Budget, Sla, Violation};

use crate::error::Error;

type NamesBuilder = StringDictionaryBuilder<Int32Type>;

/// Every listed violation of `sla`, by time, as a Parquet file: `end_unix_ns`, `rule`, `flow` (null unless the rule is about each
/// flow), `event`, `outcome`, `value` and its `unit`, `over_by` in the same unit, `budget` (`within`, `beyond`,
/// `undecided`), `open`, `thread`, `trace_id` (`uint64`, as in the other tables), `annotations` (a list of key and value) and
/// `capture`. `Sla::more_violations` says how many are not listed.
///
/// # Errors
/// [`Error::Encode`].
pub fn violations(sla: &Sla) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::encode("violations")(reason);
    let mut rows = Rows::default();
    for violation in &sla.violations {
        rows.push(sla, violation);
    }
    let batch = rows.finish().map_err(|error| failed(error.to_string()))?;
    let write = || -> parquet::errors::Result<Vec<u8>> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("perf-analyze ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes)
    };
    write().map_err(|error| failed(error.to_string()))
}

struct Rows {
    ends: Int64Builder,
    rules: NamesBuilder,
    flows: NamesBuilder,
    events: NamesBuilder,
    outcomes: NamesBuilder,
    values: UInt64Builder,
    units: NamesBuilder,
    over: Float64Builder,
    budgets: NamesBuilder,
    open: BooleanBuilder,
    threads: NamesBuilder,
    traces: UInt64Builder,
    annotations: ListBuilder<StructBuilder>,
    captures: NamesBuilder,
}

impl Default for Rows {
    fn default() -> Self {
        let text = |name| Field::new(name, DataType::Utf8, false);
        let pair = StructBuilder::new(
            Fields::from(vec![text("key"), text("value")]),
            vec![
                Box::new(StringBuilder::new()),
                Box::new(StringBuilder::new()),
            ],
        );
        Self {
            ends: Int64Builder::new(),
            rules: NamesBuilder::new(),
            flows: NamesBuilder::new(),
            events: NamesBuilder::new(),
            outcomes: NamesBuilder::new(),
            values: UInt64Builder::new(),
            units: NamesBuilder::new(),
            over: Float64Builder::new(),
            budgets: NamesBuilder::new(),
            open: BooleanBuilder::new(),
            threads: NamesBuilder::new(),
            traces: UInt64Builder::new(),
            annotations: ListBuilder::new(pair),
            captures: NamesBuilder::new(),
        }
    }
}

impl Rows {
    fn push(&mut self, sla: &Sla, violation: &Violation) {
        let result = &sla.rules[violation.rule];
        self.ends.append_value(violation.end_unix_ns.0);
        self.rules.append_value(result.rule.to_string());
        self.flows.append_option(result.flow.as_deref());
        self.events.append_value(&violation.event);
        self.outcomes
            .append_option(violation.outcome.map(Outcome::name));
        self.values.append_value(violation.value);
        // The values of a rule of an error rate are durations all the same.
        let unit = if result.unit == "%" {
            "ns"
        } else {
            &result.unit
        };
        self.units.append_value(unit);
        self.over
            .append_option(violation.over_by.map(|over| match over {
                Number::Int(over) => over as f64,
                Number::Real(over) => over,
            }));
        self.budgets.append_value(match violation.budget {
            Budget::Within => "within",
            Budget::Beyond => "beyond",
            Budget::Undecided => "undecided",
        });
        self.open.append_value(violation.open);
        self.threads.append_option(violation.thread.as_deref());
        let id = violation.trace.as_deref();
        self.traces
            .append_option(id.and_then(|id| u64::from_str_radix(id, 16).ok()));
        let pairs = self.annotations.values();
        for (key, value) in &violation.annotations {
            for (column, text) in [key, value].into_iter().enumerate() {
                if let Some(texts) = pairs.field_builder::<StringBuilder>(column) {
                    texts.append_value(text);
                }
            }
            pairs.append(true);
        }
        self.annotations.append(true);
        self.captures.append_value(&violation.capture);
    }

    fn finish(mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let columns: [(&str, ArrayRef, bool); 14] = [
            ("end_unix_ns", Arc::new(self.ends.finish()), false),
            ("rule", Arc::new(self.rules.finish()), false),
            ("flow", Arc::new(self.flows.finish()), true),
            ("event", Arc::new(self.events.finish()), false),
            ("outcome", Arc::new(self.outcomes.finish()), true),
            ("value", Arc::new(self.values.finish()), false),
            ("unit", Arc::new(self.units.finish()), false),
            ("over_by", Arc::new(self.over.finish()), true),
            ("budget", Arc::new(self.budgets.finish()), false),
            ("open", Arc::new(self.open.finish()), false),
            ("thread", Arc::new(self.threads.finish()), true),
            ("trace_id", Arc::new(self.traces.finish()), true),
            ("annotations", Arc::new(self.annotations.finish()), false),
            ("capture", Arc::new(self.captures.finish()), false),
        ];
        RecordBatch::try_from_iter_with_nullable(columns)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use perf_analysis::{CaptureSet, OpenOptions, SlaOptions, sla};

    use super::*;

    fn judged(rules: &[&str]) -> Sla {
        let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../captures/trading.bin");
        let set = CaptureSet::open(&[PathBuf::from(capture)], &OpenOptions::default());
        let options = SlaOptions {
            rules: rules
                .iter()
                .map(|rule| rule.parse().expect("a rule"))
                .collect(),
            details: true,
            violations: 2_000,
            ..SlaOptions::default()
        };
        sla(&set.expect("a capture"), &options).expect("a judgement")
    }

    fn batches(bytes: Vec<u8>) -> Vec<RecordBatch> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes));
        let reader = reader.and_then(|reader| reader.build()).expect("Parquet");
        reader.map(|batch| batch.expect("a batch")).collect()
    }

    fn name(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
        let array = batch.column_by_name(column).expect("a column");
        let names = array.as_dictionary::<Int32Type>();
        let key = names.key(row)?;
        Some(names.values().as_string::<i32>().value(key).to_owned())
    }

    #[test]
    fn every_violation_is_a_row() {
        let sla = judged(&[
            "e2e:p99<1ms",
            "ORDER_EXECUTION:error_rate<0.01%",
            "GC_PAUSE:max<1ms",
        ]);
        assert!(sla.violations.len() > 100, "{}", sla.violations.len());
        let mut rows = sla.violations.iter();
        for batch in batches(violations(&sla).expect("a file")) {
            for row in 0..batch.num_rows() {
                let violation = rows.next().expect("no more rows than violations");
                let result = &sla.rules[violation.rule];
                let column = |name| batch.column_by_name(name).expect("a column");
                let end = column("end_unix_ns").as_primitive::<Int64Type>().value(row);
                assert_eq!(end, violation.end_unix_ns.0);
                assert_eq!(name(&batch, "rule", row), Some(result.rule.to_string()));
                assert_eq!(name(&batch, "flow", row), result.flow);
                assert_eq!(name(&batch, "event", row).as_ref(), Some(&violation.event));
                assert_eq!(name(&batch, "thread", row), violation.thread);
                let value = column("value").as_primitive::<UInt64Type>().value(row);
                assert_eq!(value, violation.value);
                let over = column("over_by").as_primitive::<Float64Type>();
                let over = (!over.is_null(row)).then(|| over.value(row));
                assert_eq!(over, violation.over_by.map(|over| over.as_f64()));
                let trace = column("trace_id").as_primitive::<UInt64Type>();
                let trace = (!trace.is_null(row)).then(|| format!("{:016x}", trace.value(row)));
                assert_eq!(trace, violation.trace);
                assert_eq!(column("open").as_boolean().value(row), violation.open);
                let pairs = column("annotations").as_list::<i32>().value(row);
                let pairs = pairs.as_struct();
                let text = |column: usize, at| {
                    pairs.column(column).as_string::<i32>().value(at).to_owned()
                };
                let told: Vec<_> = (0..pairs.len())
                    .map(|at| (text(0, at), text(1, at)))
                    .collect();
                assert_eq!(told, violation.annotations);
            }
        }
        assert_eq!(rows.count(), 0);
        let has = |is: fn(&Violation) -> bool| sla.violations.iter().any(is);
        assert!(has(|each| !each.annotations.is_empty()) && has(|each| each.trace.is_none()));
        assert!(has(|each| each.over_by.is_none()) && has(|each| each.thread.is_some()));
    }

    #[test]
    fn none_is_a_table_without_rows() {
        let sla = judged(&["GC_PAUSE:max<3600s"]);
        let rows = batches(violations(&sla).expect("a file"));
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    }
}
