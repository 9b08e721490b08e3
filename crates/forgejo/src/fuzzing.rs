//! Reads lists out of memory with the reader that the client uses: for fuzzing, and in no product.

use crate::client::Limits;
use crate::list_reader::ListReader;
use crate::rows::Row;
use crate::{Job, Listing, Runner};

/// Reads a job list that comes in these pieces; the error says why it is none.
pub fn jobs<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Result<Listing<Job>, &'static str> {
    read(pieces, limits)
}

/// Reads a runner list that comes in these pieces; the error says why it is none.
pub fn runners<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> Result<Listing<Runner>, &'static str> {
    read(pieces, limits)
}

fn read<'a, T: Row>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Result<Listing<T>, &'static str> {
    let mut reader = ListReader::new(limits);
    for piece in pieces {
        if reader.feed(piece).map_err(|no_list| no_list.0)?.is_break() {
            return Ok(reader.stop());
        }
    }
    reader.end().map_err(|no_list| no_list.0)
}
