//! The whole daemon in this process, with machines that exist in memory alone, against an emulated forge.

#[cfg(test)]
mod warm;
#[cfg(test)]
mod world;
