//! The seed loop.

mod seeds;
