//! The seed loop.

mod scenarios;
mod seeds;
