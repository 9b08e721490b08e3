//! The runner as a process against a scripted forge: exit codes, signals, and what the forge gets to see.

#[cfg(test)]
mod forge;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod runner;

mod polling;
mod signals;
mod trouble;
