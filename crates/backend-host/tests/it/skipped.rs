//! Tests that need more than this host gives.

use std::io::Write as _;

/// Set where nothing may be skipped.
const REQUIRED: &str = "FORGESCALE_TEST_REQUIRED";

/// Says that the calling test did nothing. Past the harness, which would keep the word of a test that does not fail to
/// itself: `.ci/run` counts these lines. It fails where that is asked for.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os(REQUIRED).is_none(), "{why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // One write, so that lines of tests that run side by side stay whole.
    let _ = std::io::stderr().write_all(format!("skipped: {test}: {why}\n").as_bytes());
}
