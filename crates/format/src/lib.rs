//! Every byte of a capture file: writer, reader, limits.
