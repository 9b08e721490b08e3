//! The seed loop.

mod failure_modes;
mod sabotage;
mod scenarios;
mod seeds;
