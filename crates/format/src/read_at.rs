//! Where a reader gets its bytes: a mapping or a file read piece by piece.

use std::io;

/// Bytes that can be read at any offset.
pub trait ReadAt {
    /// Bytes in all, at this moment.
    ///
    /// # Errors
    /// What the system says.
    fn size(&self) -> io::Result<u64>;

    /// `len` bytes at `offset`; fewer only at the end. They may lie in `buffer`.
    ///
    /// # Errors
    /// What the system says.
    fn bytes_at<'a>(
        &'a self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]>;
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn bytes_at<'a>(
        &'a self,
        offset: u64,
        len: usize,
        _buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.len());
        Ok(&self[start..start.saturating_add(len).min(self.len())])
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn bytes_at<'a>(
        &'a self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        use std::os::unix::fs::FileExt;
        // Nothing is allocated for bytes that the file does not have.
        let present = self.size()?.saturating_sub(offset).min(len as u64) as usize;
        buffer.clear();
        buffer.resize(present, 0);
        let mut filled = 0;
        while filled < present {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&buffer[..filled])
    }
}
