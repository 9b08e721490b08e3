//! Integration tests of the emulator, over loopback.

mod faults;
mod replay;
mod wire;
