//! From the start to the task: Declare and fetches, with the exit codes 1 and 2.

use crate::forge::{Forge, Reply};
use crate::runner::{TOKEN, UUID, start, start_with};

#[test]
fn bad_flags_end_with_1_before_any_call() {
    let forge = Forge::start();
    let with_newline = format!("{TOKEN}\n");
    let bad = [
        (UUID, TOKEN, vec!["--label", "lab:foo"]),
        (UUID, TOKEN, vec!["--fetch-interval", "often"]),
        ("bad", TOKEN, vec![]),
        (UUID, with_newline.as_str(), vec![]),
    ];
    for (uuid, token, flags) in bad {
        let end = start_with(&forge.url, uuid, token, &flags).end();
        assert_eq!(end.code, Some(1), "{end:?}");
    }
    assert!(forge.books().declared.is_empty());
}

#[test]
fn a_forge_that_is_away_at_declare_ends_it_with_1_in_spite_of_wait() {
    let mut forge = Forge::start();
    forge.vanish();
    let end = start(&forge, &["--wait", "--handle", "h1"]).end();
    assert_eq!(end.code, Some(1), "{end:?}");
}

#[test]
fn a_refused_declare_ends_it_with_1_in_spite_of_wait() {
    for reply in [Reply::Refuse(401, "unauthenticated"), Reply::Refuse(503, "unavailable")] {
        let forge = Forge::start();
        forge.books().declare = reply;
        let end = start(&forge, &["--wait"]).end();
        assert_eq!(end.code, Some(1), "{end:?}");
        assert!(forge.books().fetched.is_empty());
    }
}

#[test]
fn the_names_of_the_labels_are_declared() {
    let forge = Forge::start();
    let end = start(&forge, &["--label", "debian:docker://node:22", "--label", "gpu"]).end();
    assert_eq!(end.code, Some(2), "{end:?}");
    let books = forge.books();
    assert_eq!(books.declared[0].labels, ["lab", "debian", "gpu"]);
    assert_eq!(books.token, TOKEN);
}

#[test]
fn a_forge_that_does_not_know_declare_is_tolerated() {
    let forge = Forge::start();
    forge.books().declare = Reply::Refuse(501, "unimplemented");
    assert_eq!(start(&forge, &[]).end().code, Some(2));
}

#[test]
fn no_task_ends_it_with_2_after_one_try() {
    for reply in [Reply::Well, Reply::Refuse(401, "unauthenticated"), Reply::Refuse(500, "internal")] {
        let forge = Forge::start();
        forge.books().fetches.push_back(reply);
        let end = start(&forge, &["--handle", "h1"]).end();
        assert_eq!(end.code, Some(2), "{end:?}");
        let books = forge.books();
        let [(call, handle, _)] = books.fetched.as_slice() else { panic!("{:?}", books.fetched) };
        assert_eq!((*call, handle.as_deref()), ("FetchSingleTask", Some("h1")));
    }
}

#[test]
fn an_empty_handle_asks_for_any_job() {
    for flags in [&["--handle", ""][..], &[]] {
        let forge = Forge::start();
        assert_eq!(start(&forge, flags).end().code, Some(2));
        assert_eq!(forge.books().fetched[0].0, "FetchTask");
    }
}

#[test]
fn waiting_survives_every_refusal_and_keeps_its_key_until_a_fetch_succeeds() {
    let forge = Forge::with_job("runs-on: lab\nsteps: [{run: echo hello}]");
    forge.books().fetches =
        [Reply::Refuse(401, "unauthenticated"), Reply::Refuse(503, "unavailable"), Reply::Well].into();
    let end = start(&forge, &["--handle", "h1", "--wait", "--fetch-interval", "1ms"]).end();
    assert_eq!(end.code, Some(0), "{end:?}");
    let books = forge.books();
    let keys: Vec<&str> = books.fetched.iter().map(|(_, _, key)| key.as_str()).collect();
    assert_eq!(keys.len(), 4);
    assert!(!keys[0].is_empty() && keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
    assert_ne!(keys[2], keys[3]);
    assert!(books.logged("hello"));
}
