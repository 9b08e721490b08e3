//! The workflow payload of a task, as the stand-in runner reads it.

/// A payload is read, or refused with words for its author.
pub fn payload(bytes: &[u8]) {
    if let Err(errors) = stand_in_runner::fuzzing::payload(bytes) {
        assert!(errors.iter().all(|error| !error.is_empty()), "refused without words");
    }
}
