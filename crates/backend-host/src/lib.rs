//! Machines as processes on this host, each under its own supervisor.
#![forbid(unsafe_code)]
