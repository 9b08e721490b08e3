//! The seed loop.

mod failure_modes;
mod judges;
mod sabotage;
mod scenarios;
mod seeds;
