//! The store against real files.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use store::{HistoryFilter, HistoryRow, Loaded, MemoryChange, MemoryRow, Store, StoreError, history};
use tempfile::TempDir;

fn file(place: &TempDir) -> PathBuf {
    place.path().join("store.sqlite")
}

fn change(key: &str, value: Option<&str>) -> MemoryChange {
    MemoryChange { key: key.to_owned(), value: value.map(str::to_owned) }
}

fn ended(handle: &str, pool: &str, ended_at_ms: u64) -> HistoryRow {
    HistoryRow {
        forge: "https://forge.example".to_owned(),
        scope: "org:acme".to_owned(),
        repository: 7,
        handle: handle.to_owned(),
        job: "build".to_owned(),
        attempt: 1,
        pool: pool.to_owned(),
        machine: format!("fs-{handle}"),
        outcome: "completed".to_owned(),
        waited_ms: Some(10),
        booted_ms: None,
        ran_ms: Some(u64::MAX),
        ended_at_ms,
    }
}

fn handles(path: &Path, limit: u32, filter: &HistoryFilter) -> Vec<String> {
    history(path, limit, filter).expect("readable history").into_iter().map(|row| row.handle).collect()
}

#[test]
fn memory_survives_a_restart() {
    let place = TempDir::new().unwrap();
    let (store, loaded) = Store::open(&file(&place)).unwrap();
    assert_eq!(loaded, Loaded::default());
    store.remember(vec![change("b", Some("{\"tries\":2}")), change("a", Some("1")), change("c", Some("3"))]);
    store.remember(vec![change("a", Some("2")), change("c", None), change("never", None)]);
    store.close();

    let (_store, loaded) = Store::open(&file(&place)).unwrap();
    let row = |key: &str, value: &str| MemoryRow { key: key.to_owned(), value: value.to_owned() };
    assert_eq!(loaded.memory, [row("a", "2"), row("b", "{\"tries\":2}")]);
}

#[test]
fn history_is_read_newest_first_and_filtered() {
    let place = TempDir::new().unwrap();
    let (store, _) = Store::open(&file(&place)).unwrap();
    for row in [ended("one", "small", 1_000), ended("three", "large", 3_000), ended("two", "small", 2_000)] {
        store.record(row);
    }
    store.close();
    let path = file(&place);
    let all = HistoryFilter::default();
    assert_eq!(handles(&path, 10, &all), ["three", "two", "one"]);
    assert_eq!(handles(&path, 1, &all), ["three"]);
    assert_eq!(handles(&path, 10, &HistoryFilter { pool: Some("small".into()), ..all.clone() }), ["two", "one"]);
    assert_eq!(handles(&path, 10, &HistoryFilter { since_ms: Some(2_000), ..all.clone() }), ["three", "two"]);
    assert_eq!(handles(&path, 10, &HistoryFilter { repository: Some(8), ..all.clone() }), [""; 0]);
    let row = history(&path, 1, &HistoryFilter { handle: Some("two".into()), ..all }).unwrap().remove(0);
    // What SQLite cannot hold is the largest that it can.
    assert_eq!(row, HistoryRow { ran_ms: Some(i64::MAX as u64), ..ended("two", "small", 2_000) });
}

#[test]
fn history_older_than_thirty_days_before_its_newest_row_is_dropped() {
    const DAY: u64 = 24 * 3600 * 1000;
    let place = TempDir::new().unwrap();
    let path = file(&place);
    let (store, _) = Store::open(&path).unwrap();
    for day in [1, 2, 40] {
        store.record(ended(&format!("day-{day}"), "small", day * DAY));
    }
    store.close();
    // Each life begins with pruning.
    let (store, _) = Store::open(&path).unwrap();
    store.record(ended("day-32", "small", 32 * DAY));
    store.close();
    assert_eq!(handles(&path, 10, &HistoryFilter::default()), ["day-40", "day-32"]);
}

#[test]
fn a_broken_file_is_moved_aside_and_a_fresh_one_is_begun() {
    let place = TempDir::new().unwrap();
    let path = file(&place);
    for number in 1..=2 {
        fs::write(&path, "this is no database, and never was one").unwrap();
        let (store, loaded) = Store::open(&path).unwrap();
        assert_eq!(loaded, Loaded::default());
        store.remember(vec![change("a", Some("1"))]);
        store.close();
        let aside = place.path().join(format!("store.sqlite.corrupt-{number}"));
        assert!(fs::read_to_string(aside).unwrap().starts_with("this is no database"));
    }
    assert_eq!(Store::open(&path).unwrap().1.memory.len(), 1);
}

#[test]
fn a_file_with_a_damaged_page_is_moved_aside() {
    let place = TempDir::new().unwrap();
    let path = file(&place);
    let (store, _) = Store::open(&path).unwrap();
    store.remember((0..2000).map(|n| change(&format!("key-{n}"), Some("\"some value\""))).collect());
    store.close();
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 20_000, "the file is too small for this test: {}", bytes.len());
    bytes[8192..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let (_store, loaded) = Store::open(&path).unwrap();
    assert_eq!(loaded, Loaded::default());
    assert!(place.path().join("store.sqlite.corrupt-1").exists());
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let place = TempDir::new().unwrap();
    let path = file(&place);
    drop(Store::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 1, .. }), "{error}");
    assert!(!place.path().join("store.sqlite.corrupt-1").exists());
    assert!(path.exists());
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_and_nothing_is_moved() {
    let place = TempDir::new().unwrap();
    let error = Store::open(&place.path().join("absent/store.sqlite")).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
}

#[test]
fn failing_writes_do_not_reach_the_caller() {
    let place = TempDir::new().unwrap();
    let path = file(&place);
    let (store, _) = Store::open(&path).unwrap();
    // Another process takes the tables away under the writer.
    Connection::open(&path).unwrap().execute_batch("DROP TABLE memory; DROP TABLE history;").unwrap();
    store.remember(vec![change("a", Some("1"))]);
    store.record(ended("one", "small", 1));
    store.close();
    assert!(matches!(history(&path, 1, &HistoryFilter::default()), Err(StoreError::Read { .. })));
}
