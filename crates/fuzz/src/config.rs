//! The configuration.

use std::path::Path;

use daemon::config::{Config, Surroundings};

/// A configuration is read, or it is refused with at least one problem; each problem stands in the text and says
/// something, and the same text gets the same answer.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = || Config::parse(text, Path::new("/nonexistent"), &Surroundings::new(|_| None, false));
    match (read(), read()) {
        (Ok(config), Ok(_)) => {
            assert!(!config.forges.is_empty() && !config.pools.is_empty(), "accepted without forge or pool");
        }
        (Err(problems), Err(again)) => {
            assert!(!problems.is_empty(), "refused without a reason");
            assert_eq!(problems, again, "refused differently the second time");
            // What is missing at the end stands behind the last line break.
            let lines = text.split('\n').count();
            for problem in problems {
                assert!((1..=lines).contains(&problem.line), "line {} of {lines}", problem.line);
                assert!(!problem.reason.is_empty(), "a problem without words");
            }
        }
        _ => panic!("accepted once and refused once"),
    }
}
