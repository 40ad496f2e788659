//! Batches as lines of text: CSV and NDJSON.

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use serde_json::Value;

/// One cell as a JSON value.
fn cell(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Timestamp(..) => {
            let array = array.as_primitive::<TimestampNanosecondType>();
            rfc3339(array.value(row)).into()
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Dictionary(..) => {
            let names = array.as_dictionary::<Int32Type>();
            let key = names.keys().value(row) as usize;
            names.values().as_string::<i32>().value(key).into()
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items = items.as_struct();
            let own = |at| {
                let pairs = items.column_names().into_iter().zip(items.columns());
                pairs
                    .map(|(name, column)| (name.to_owned(), cell(column, at)))
                    .collect()
            };
            Value::Array((0..items.len()).map(|at| Value::Object(own(at))).collect())
        }
        _ => Value::Null,
    }
}

/// A time of day in UTC, to the nanosecond: the civil date by Howard Hinnant's `civil_from_days`.
fn rfc3339(unix_ns: i64) -> String {
    let (seconds, ns) = (
        unix_ns.div_euclid(1_000_000_000),
        unix_ns.rem_euclid(1_000_000_000),
    );
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let date = date(seconds.div_euclid(86_400));
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

/// The date of a day since 1970-01-01, as `YYYY-MM-DD`.
pub(crate) fn date(days: i64) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The header line.
pub(crate) fn csv_header(names: &[&str]) -> Vec<u8> {
    csv_lines(|writer| writer.write_record(names))
}

/// The rows.
pub(crate) fn csv(batch: &RecordBatch) -> Vec<u8> {
    csv_lines(|writer| {
        for row in 0..batch.num_rows() {
            for array in batch.columns() {
                match cell(array, row) {
                    Value::Null => writer.write_field("")?,
                    Value::String(text) => writer.write_field(text)?,
                    other => writer.write_field(other.to_string())?,
                }
            }
            writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    })
}

fn csv_lines(write: impl FnOnce(&mut csv::Writer<&mut Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    // Memory takes every byte, and each row has the fields of the header.
    let _ = write(&mut writer).and_then(|()| Ok(writer.flush()?));
    drop(writer);
    bytes
}

/// The rows as objects, in the order of the columns; what is null is left out.
pub(crate) fn ndjson(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let schema = batch.schema_ref();
    for row in 0..batch.num_rows() {
        let mut first = true;
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let value = cell(array, row);
            if value.is_null() {
                continue;
            }
            bytes.push(if first { b'{' } else { b',' });
            first = false;
            // Ids do not survive as the numbers of most readers of JSON.
            let value = match field.data_type() {
                DataType::UInt64 => Value::String(value.to_string()),
                _ => value,
            };
            let _ = write!(bytes, "\"{}\":{value}", field.name());
        }
        if first {
            bytes.push(b'{');
        }
        bytes.extend_from_slice(b"}\n");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{date, rfc3339};

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_782), "2026-11-25");
        assert_eq!(
            rfc3339(1_000_000_000_000_000_001),
            "2001-09-09T01:46:40.000000001Z"
        );
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
    }
}
