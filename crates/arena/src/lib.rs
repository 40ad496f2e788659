//! Every byte in shared memory: rings, open-span slots, staging and spool, and the reader that treats them as hostile input.
