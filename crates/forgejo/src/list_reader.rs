//! Reads a list piece by piece as it arrives.
//!
//! ```text
//! piece, piece, … ─► Splitter ─► rows ─► Listing
//!     feed │ Break: enough ─► stop      end: the answer is over      break_off: the wire failed
//! ```
//!
//! Promise: as soon as the beginning of a list came, whatever goes wrong leaves the rows read so far in a listing that
//! says of itself that it is incomplete.

use std::ops::ControlFlow;

use crate::client::Limits;
use crate::listing::{BadRow, Listing};
use crate::rows::Row;
use crate::splitter::{Broken, Element, Splitter};

/// Rows beyond the limit are let go in batches: one batch is this fraction of the limit.
const SLACK: usize = 16;

/// Why what came is no list at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoList(pub(crate) &'static str);

/// Reads one list.
#[derive(Debug)]
pub(crate) struct ListReader<'a, T> {
    limits: &'a Limits,
    splitter: Splitter,
    listing: Listing<T>,
    bytes: usize,
}

impl<'a, T: Row> ListReader<'a, T> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self { limits, splitter: Splitter::new(limits.row), listing: Listing::empty(), bytes: 0 }
    }

    /// Takes the next piece. `Break`: nothing that follows would be believed.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<ControlFlow<()>, NoList> {
        let Self { limits, splitter, listing, bytes } = self;
        *bytes += piece.len();
        let fed = splitter.feed(piece, |element| {
            listing.push(read(&element, limits));
            listing.keep_last(limits.rows, limits.rows / SLACK);
        });
        match fed {
            Ok(()) => {}
            Err(Broken::NotAList) => return Err(NoList("it is no list")),
            Err(Broken::Syntax) => listing.lacks("the list is broken JSON"),
            Err(Broken::Trailing) => listing.lacks("something follows after the list"),
        }
        if *bytes > limits.list {
            listing.lacks(format!("the list is larger than {} bytes", limits.list));
        }
        let enough = fed.is_err() || *bytes > limits.list;
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// What was read up to a `Break`.
    pub(crate) fn stop(mut self) -> Listing<T> {
        self.listing.keep_last(self.limits.rows, 0);
        self.listing
    }

    /// The answer is over.
    pub(crate) fn end(mut self) -> Result<Listing<T>, NoList> {
        if !self.splitter.is_ended() {
            if !self.splitter.is_list() {
                return Err(NoList("it is empty or no list"));
            }
            self.listing.lacks("the list has no end");
        }
        Ok(self.stop())
    }

    /// The wire failed. `None` when not even the beginning of a list came.
    pub(crate) fn break_off(mut self) -> Option<Listing<T>> {
        if !self.splitter.is_list() {
            return None;
        }
        self.listing.lacks("the list broke off, or came too slowly for the deadline");
        Some(self.stop())
    }
}

fn read<T: Row>(element: &Element<'_>, limits: &Limits) -> Result<T, BadRow> {
    match element {
        Element::Whole(text) => T::decode(text),
        Element::Beginning(text) => Err(T::of_beginning(text, limits.row)),
    }
}
