//! What the modelled backend promises, tried from outside.

#[cfg(test)]
mod conformance;
