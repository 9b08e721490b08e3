//! The host backend with real processes: supervisors are `examples/supervisor.rs`, runners are small shell scripts.

#[cfg(test)]
mod daemon_gone;
#[cfg(test)]
mod host;
#[cfg(test)]
mod strays;

mod creating;
mod ending;
mod launching;
mod listing;
mod output;
