//! Frames as Arrow record batches.

use std::iter;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::dictionary::{Dictionaries, Dictionary};
use crate::error::Error;
use crate::frame::{NO_NAME, Owner, Values};
use crate::options::Options;
use crate::table::{Column, Kind, Table};

/// Which columns of a table are written, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) table: Table,
    pub(crate) schema: SchemaRef,
    pub(crate) columns: Vec<Written>,
}

/// A column as it is written: the place of its values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Written {
    Plain(usize),
    /// The same time again, as a timestamp.
    Timestamp(usize),
}

impl Shape {
    /// `None` if none of the columns that were asked for is in the table.
    pub(crate) fn of(table: Table, options: &Options) -> Option<Self> {
        let asked = |name: &str| {
            options.columns.is_empty() || options.columns.iter().any(|each| each == name)
        };
        let in_path = |name: &str| {
            let mut keys = options.partition_by.iter();
            is_partitioned(table, options) && keys.any(|key| key.name() == name)
        };
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (at, column) in table.columns().iter().enumerate() {
            if !asked(column.name) || in_path(column.name) {
                continue;
            }
            fields.push(field(column));
            columns.push(Written::Plain(at));
            if options.timestamps && matches!(column.kind, Kind::Time | Kind::OptTime) {
                let kind = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
                let nullable = column.kind == Kind::OptTime;
                fields.push(Field::new(timestamp_name(column), kind, nullable));
                columns.push(Written::Timestamp(at));
            }
        }
        (!columns.is_empty()).then(|| Self {
            table,
            schema: Arc::new(Schema::new(fields)),
            columns,
        })
    }

    /// All columns of the table, as arrays of those that are written.
    pub(crate) fn batch(
        &self,
        columns: Vec<Values>,
        dictionaries: &Dictionaries,
    ) -> Result<RecordBatch, Error> {
        let table = self.table.name();
        let names = |column: &'static str| dictionaries.get(table, column);
        let mut values: Vec<Option<Values>> = columns.into_iter().map(Some).collect();
        let arrays = self.columns.iter().enumerate().map(|(place, written)| {
            let (Written::Plain(at) | Written::Timestamp(at)) = *written;
            // The timestamps of a time come right after it and are the last to need it.
            let again = matches!(self.columns.get(place + 1), Some(Written::Timestamp(_)));
            let column = match again {
                true => values[at].clone(),
                false => values[at].take(),
            };
            let column = column.unwrap_or(Values::Int(Vec::new()));
            written.array(column, || names(self.table.columns()[at].name))
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>();
        arrays
            .and_then(|arrays| RecordBatch::try_new(Arc::clone(&self.schema), arrays))
            .map_err(|error| Error::encode(table)(error.to_string()))
    }
}

impl Written {
    /// Values as an array; `names` are those that numbers stand for.
    pub(crate) fn array(
        self,
        values: Values,
        names: impl Fn() -> Dictionary,
    ) -> Result<ArrayRef, arrow_schema::ArrowError> {
        match self {
            Written::Plain(_) => array(values, names),
            Written::Timestamp(_) => Ok(timestamps(values)),
        }
    }
}

/// Whether a table goes into directories of its own: those of rows with an event do.
pub(crate) fn is_partitioned(table: Table, options: &Options) -> bool {
    !options.partition_by.is_empty() && matches!(table, Table::Spans | Table::Values | Table::Bins)
}

/// `start_ns` as a timestamp is `start`.
fn timestamp_name(column: &Column) -> String {
    let name = column.name.trim_end_matches("_ns");
    name.trim_end_matches("_unix").to_owned()
}

fn owner_fields() -> Fields {
    let owner = Field::new("owner", DataType::Utf8, false);
    Fields::from(vec![owner, Field::new("own_ns", DataType::Int64, false)])
}

fn owner_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(owner_fields()), false))
}

fn field(column: &Column) -> Field {
    let (kind, nullable) = match column.kind {
        Kind::Time | Kind::Int => (DataType::Int64, false),
        Kind::OptTime | Kind::OptInt => (DataType::Int64, true),
        Kind::Id => (DataType::UInt64, true),
        Kind::Float => (DataType::Float64, true),
        Kind::Text => (DataType::Utf8, true),
        Kind::Name => {
            let (key, value) = (Box::new(DataType::Int32), Box::new(DataType::Utf8));
            (DataType::Dictionary(key, value), true)
        }
        Kind::Owners => (DataType::List(owner_item()), false),
    };
    Field::new(column.name, kind, nullable)
}

fn array(
    values: Values,
    names: impl Fn() -> Dictionary,
) -> Result<ArrayRef, arrow_schema::ArrowError> {
    Ok(match values {
        Values::Int(values) => Arc::new(Int64Array::from(values)),
        Values::OptInt(values) => Arc::new(Int64Array::from(values)),
        Values::Id(values) => {
            let is_some: NullBuffer = values.iter().map(|value| *value != 0).collect();
            let nulls = (is_some.null_count() > 0).then_some(is_some);
            Arc::new(UInt64Array::new(values.into(), nulls))
        }
        Values::Float(values) => Arc::new(Float64Array::from(values)),
        Values::Text(values) => Arc::new(StringArray::from(values)),
        Values::Name(values) => {
            let nulls = values.contains(&NO_NAME).then(|| {
                let known = values.iter().map(|value| *value != NO_NAME);
                known.collect::<NullBuffer>()
            });
            let keys = values.iter().map(|value| match *value {
                NO_NAME => 0,
                value => value as i32,
            });
            let keys = Int32Array::new(ScalarBuffer::from_iter(keys), nulls);
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, names().0)?)
        }
        Values::Same(number, rows) => {
            let keys = Int32Array::from_iter_values(iter::repeat_n(number as i32, rows));
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, names().0)?)
        }
        Values::Owners(lists) => Arc::new(owners(&lists, &names())?),
    })
}

fn owners(lists: &[Vec<Owner>], names: &Dictionary) -> Result<ListArray, arrow_schema::ArrowError> {
    let text = names.0.as_any().downcast_ref::<StringArray>();
    let name = |at: u32| text.map_or("", |text| text.value(at as usize));
    let all = || lists.iter().flatten();
    let owners: Vec<&str> = all().map(|(owner, _)| name(*owner)).collect();
    let owner: ArrayRef = Arc::new(StringArray::from(owners));
    let own: ArrayRef = Arc::new(Int64Array::from_iter_values(all().map(|(_, ns)| *ns)));
    let items = StructArray::try_new(owner_fields(), vec![owner, own], None)?;
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
    ListArray::try_new(owner_item(), offsets, Arc::new(items), None)
}

fn timestamps(values: Values) -> ArrayRef {
    let array = match values {
        Values::Int(values) => TimestampNanosecondArray::from(values),
        Values::OptInt(values) => TimestampNanosecondArray::from(values),
        _ => unreachable!("only times have timestamps"),
    };
    Arc::new(array.with_timezone("UTC"))
}
