//! The corpus, replayed.

mod corpus;
