//! The host backend with real processes: supervisors are `examples/supervisor.rs`, runners are small shell scripts.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod daemon_gone;
#[cfg(test)]
mod host;
#[cfg(test)]
mod root;
#[cfg(test)]
mod shared_places;
#[cfg(test)]
mod skipped;
#[cfg(test)]
mod strays;

#[cfg(test)]
mod containers;
#[cfg(test)]
mod control_groups;
mod creating;
mod ending;
#[cfg(test)]
mod isolation;
mod launching;
mod listing;
mod output;
