//! The Docker backend on a real engine. Without one these tests say so and do nothing.
//!
//! The engine is that of `FORGESCALE_TEST_DOCKER` (`unix:///path`), or the usual one. Its image is made on the spot from a
//! static busybox, so that no registry is needed.

#[cfg(test)]
mod ahead;
#[cfg(test)]
mod caches;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod hardening;
#[cfg(test)]
mod images;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod podman;
#[cfg(test)]
mod pruning;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod real_engine;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod scripted;
#[cfg(test)]
#[path = "../../../backend-host/tests/it/skipped.rs"]
mod skipped;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod unused;
#[cfg(test)]
mod used_again;
#[cfg(test)]
mod warm;
