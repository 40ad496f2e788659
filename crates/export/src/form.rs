//! Rows as bytes, whatever the form.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use crate::batch::Shape;
use crate::dictionary::Dictionaries;
use crate::error::Error;
use crate::frame::Frame;
use crate::options::Form;
use crate::parquet_form::{self, About, Chunk, Encoder};
use crate::text_form;

/// Rows of a table, encoded as far as that can be done apart from all others.
pub(crate) enum Piece {
    Group(Vec<Chunk>),
    Batch(RecordBatch),
    Text(Vec<u8>),
}

/// Encodes the rows of one table; any number of threads may.
pub(crate) struct Press {
    form: Form,
    pub(crate) shape: Shape,
    parquet: Option<Encoder>,
}

impl Press {
    pub(crate) fn new(form: Form, shape: Shape) -> Result<Self, Error> {
        let parquet = match form {
            Form::Parquet => Some(Encoder::new(&shape)?),
            _ => None,
        };
        Ok(Self {
            form,
            shape,
            parquet,
        })
    }

    /// Sorts and encodes rows. What is left in `frame` is of use for its memory only.
    pub(crate) fn press(&self, frame: &mut Frame, names: &Dictionaries) -> Result<Piece, Error> {
        if let Some(encoder) = &self.parquet {
            return Ok(Piece::Group(encoder.encode(frame, names)?));
        }
        frame.sort();
        let columns = std::mem::take(&mut frame.columns);
        let batch = self.shape.batch(columns, names)?;
        Ok(match self.form {
            Form::Csv => Piece::Text(text_form::csv(&batch)),
            Form::Ndjson => Piece::Text(text_form::ndjson(&batch)),
            Form::Arrow | Form::Parquet => Piece::Batch(batch),
        })
    }

    /// Begins a file.
    pub(crate) fn open(&self, about: &About, mut out: Out) -> Result<Sheet, Error> {
        let failed = Error::encode(self.shape.table.name());
        Ok(match self.form {
            Form::Parquet => {
                Sheet::Parquet(Box::new(parquet_form::open(&self.shape, about, out)?.0))
            }
            Form::Arrow => {
                let schema = self.shape.schema.as_ref().clone();
                let about = about.iter().cloned().collect();
                let schema = schema.with_metadata(about);
                let writer = StreamWriter::try_new(out, &schema);
                Sheet::Arrow(Box::new(writer.map_err(|error| failed(error.to_string()))?))
            }
            Form::Csv => {
                let fields = self.shape.schema.fields().iter();
                let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
                let header = out.write_all(&text_form::csv_header(&names));
                header.map_err(|error| failed(error.to_string()))?;
                Sheet::Text(out)
            }
            Form::Ndjson => Sheet::Text(out),
        })
    }
}

/// Where bytes go.
pub(crate) type Out = Box<dyn Write + Send>;

/// A file that is being written.
pub(crate) enum Sheet {
    Parquet(Box<SerializedFileWriter<Out>>),
    Arrow(Box<StreamWriter<Out>>),
    Text(Out),
}

impl Sheet {
    pub(crate) fn append(&mut self, piece: Piece) -> io::Result<()> {
        match (self, piece) {
            (Sheet::Parquet(file), Piece::Group(chunks)) => {
                parquet_form::append(file, chunks).map_err(of_parquet)
            }
            (Sheet::Arrow(stream), Piece::Batch(batch)) => {
                // The stream's schema has metadata that the batch's has not.
                stream.write(&batch).map_err(of_arrow)
            }
            (Sheet::Text(out), Piece::Text(text)) => out.write_all(&text),
            _ => unreachable!("a press makes pieces for its own sheets"),
        }
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Sheet::Parquet(file) => {
                let mut out = file.into_inner().map_err(of_parquet)?;
                out.flush()
            }
            Sheet::Arrow(mut stream) => {
                stream.finish().map_err(of_arrow)?;
                stream.get_mut().flush()
            }
            Sheet::Text(mut out) => out.flush(),
        }
    }
}

/// What the operating system said, so that whoever called can tell a full disk from a reader that left.
fn of_arrow(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}

fn of_parquet(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    }
}
