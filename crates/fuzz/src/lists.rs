//! Job lists and runner lists.

use std::collections::BTreeSet;

use forgejo::{Limits, Listing, fuzzing};
use serde_json::Value;

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits { answer: 256, row: 256, list: 4096, rows: 8 };

/// The sizes of pieces that each input is read in.
const PIECES: [usize; 3] = [1, 7, 4096];

/// A job list is read the same whatever its pieces are. If it is complete, every handle in it is among the rows or
/// among the bad rows: a job that is there never looks departed.
pub fn job_list(bytes: &[u8]) {
    let listing = read(|size| fuzzing::jobs(bytes.chunks(size), &LIMITS));
    let key = |row: &Value| row.get("handle")?.as_str().filter(|handle| !handle.is_empty()).map(str::to_owned);
    check(bytes, listing, |job| job.handle.clone(), key);
}

/// The same for a list of runners and their ids: a registration that is there never looks deleted.
pub fn runner_list(bytes: &[u8]) {
    let listing = read(|size| fuzzing::runners(bytes.chunks(size), &LIMITS));
    let key = |row: &Value| row.get("id")?.as_i64().map(|id| id.to_string());
    check(bytes, listing, |runner| runner.id.to_string(), key);
}

/// Reads in pieces of each size; all must agree.
fn read<T: PartialEq + std::fmt::Debug>(
    read: impl Fn(usize) -> Result<Listing<T>, &'static str>,
) -> Result<Listing<T>, &'static str> {
    let [first, others @ ..] = PIECES.map(read);
    for other in others {
        // Where a list is cut for its length depends on the pieces, what is said of it does not.
        match (&first, &other) {
            (Ok(first), Ok(other)) if !first.complete || !other.complete => {
                assert_eq!(first.complete, other.complete, "complete in some pieces only");
            }
            _ => assert_eq!(first, other, "read differently in other pieces"),
        }
    }
    first
}

fn check<T>(
    bytes: &[u8],
    listing: Result<Listing<T>, &'static str>,
    key_of_row: impl Fn(&T) -> String,
    key_of_value: impl Fn(&Value) -> Option<String>,
) {
    let Ok(listing) = listing else { return };
    assert_eq!(listing.complete, listing.problem.is_none(), "a reason exactly when something is missing");
    assert!(listing.rows.len() <= LIMITS.rows, "more rows than the limit");
    if !listing.complete {
        return;
    }
    // What is taken for the whole list must be one. Fields that nobody reads may hold bytes that are no text.
    let values = match serde_json::from_str(&String::from_utf8_lossy(bytes)) {
        Ok(Value::Array(values)) => values,
        Ok(Value::Null) => Vec::new(),
        // A row that is no JSON is a bad row, and one without a key makes the list incomplete; here each had its key.
        Ok(_) => panic!("a complete list that is no list"),
        Err(_) => {
            assert!(!listing.bad_rows.is_empty(), "a complete list of good rows that is no JSON");
            return;
        }
    };
    let rows = listing.rows.iter().map(key_of_row);
    let known: BTreeSet<String> = rows.chain(listing.bad_rows.iter().filter_map(|bad| bad.key.clone())).collect();
    for key in values.iter().filter_map(key_of_value) {
        assert!(known.contains(&key), "{key} is in the list and looks absent");
    }
    assert_eq!(values.len(), listing.rows.len() + listing.bad_rows.len(), "rows came or went");
}
