//! `forgescale check`: each thing that can be wrong is found and named, nothing is changed, and the status says how it is.

mod configuration;
mod forges;
mod host;
mod place;
mod rights;
#[path = "../../../../forgejo/tests/it/self_signed.rs"]
mod self_signed;
