//! Where the drainer puts the encoded pieces of a capture.

/// Takes a capture's pieces in their order: first the file header, then whole chunks. All pieces one after another are a
/// valid capture, and so is every beginning of them.
///
/// The recorder's own sink is the spool in the arena, from which the writer thread feeds the file. Another sink is
/// called on the drainer's thread; while it is slow, records wait in the rings.
pub trait Sink {
    /// Takes one piece, whole or not at all.
    ///
    /// # Errors
    /// [`Refused`] when there is no room now; the drainer keeps the piece and offers it again.
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused>;
}

/// The sink has no room at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sink has no room at the moment")]
pub struct Refused;

/// A capture in memory.
impl Sink for Vec<u8> {
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
        self.extend_from_slice(piece);
        Ok(())
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
        (**self).accept(piece)
    }
}

/// A sink that several places look at, such as a test that reads what the drainer's thread wrote.
impl<S: Sink> Sink for std::sync::Arc<std::sync::Mutex<S>> {
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
        self.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .accept(piece)
    }
}
