//! Memory that outlives the process: back-off and history in SQLite.
#![forbid(unsafe_code)]
