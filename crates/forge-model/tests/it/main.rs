//! Behaviour of the modelled forge, area by area.

mod access;
mod concurrency;
mod endings;
mod handing_out;
mod needs;
mod random_walk;
mod world;
