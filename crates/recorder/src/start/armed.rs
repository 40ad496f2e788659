//! Bringing up what is a flight recorder's own.

use std::path::Path;

use super::{Begun, Connected, Opened};
use crate::builder::{Destination, Settings};
use crate::error::StartError;
use crate::flight::{self, Flight};
use crate::path;

/// The name of what a flight recorder will write. There is no file before there is something in it.
pub(super) fn open(settings: &Settings, destination: Destination) -> Result<Opened, StartError> {
    if settings.parts.is_rotating() {
        let message = "a flight recorder writes a part for each trigger, and takes no `rotate_bytes` or `rotate_every`";
        return Err(StartError::Setting {
            message: message.to_owned(),
        });
    }
    let path = match destination {
        Destination::Path(asked) => path::base(&asked)?,
        Destination::None => return Err(StartError::NoDestination),
        Destination::Storage(_) | Destination::Sink(_) => {
            return Err(StartError::FlightWithoutPath);
        }
    };
    Ok(Opened {
        base: Some(path),
        ..Opened::default()
    })
}

/// Makes the spool a window.
pub(super) fn connect(
    settings: &Settings,
    flight: &Flight,
    base: &Path,
    begun: &mut Begun,
) -> Result<Connected, StartError> {
    let Some(reader) = begun.owner.take_spool_reader() else {
        return Err(StartError::NoDestination);
    };
    // So that what the window takes is never more than what it can do without.
    let most = usize::try_from(reader.size_bytes() / 8).unwrap_or(usize::MAX);
    let header = &begun.described;
    let (starting, keeper, outlet) =
        flight::Starting::new(flight, base, header, reader, settings.patience)?;
    (begun.flight, begun.keeper) = (Some(starting), Some(keeper));
    Ok((Box::new(outlet), None, most))
}
