//! The seed loop.

mod failure_modes;
mod scenarios;
mod seeds;
