//! Which caches are removed, and that one which cannot be keeps no other one.

use std::collections::BTreeMap;

use backend::chain;
use backend_docker::{DockerBackend, WithCaches};
use serde_json::json;

use crate::scripted::{Answer, Scripted};

/// An engine with these caches: it answers a removal with the status that the name begins with.
fn engine(names: &[String]) -> Scripted {
    let labels =
        json!({ "forgescale.deployment": "d", "forgescale.backend": "containers", "forgescale.role": "cache" });
    let volume = |name: &String| json!({ "Name": name, "Driver": "local", "Mountpoint": "/", "Labels": labels, "Scope": "local", "Options": {} });
    let volumes = json!({ "Volumes": names.iter().map(volume).collect::<Vec<_>>() }).to_string();
    let answer = move |question: &str| -> Answer {
        match question.strip_prefix("DELETE /volumes/") {
            Some(name) => (name[..3].parse().unwrap(), json!({ "message": "no" }).to_string()),
            None if question.starts_with("GET /volumes") => (200, volumes.clone()),
            None => (200, "[]".to_owned()),
        }
    };
    Scripted::open(None, answer)
}

/// The first was used longest ago, and all of them long ago.
fn backend(engine: &Scripted, names: &[String]) -> DockerBackend {
    let mut settings = engine.settings();
    let times: BTreeMap<&String, usize> = names.iter().zip(1..).collect();
    let file = engine.file("caches.json");
    std::fs::write(&file, json!(times).to_string()).unwrap();
    settings.caches_file = Some(file);
    DockerBackend::new(settings).unwrap()
}

fn named(status: u16, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{status}-{number}")).collect()
}

#[tokio::test]
async fn a_cache_that_cannot_be_removed_keeps_no_other_one_and_one_in_use_is_used() {
    let names = [named(500, 2), named(409, 30), named(204, 3)].concat();
    let engine = engine(&names);
    let backend = backend(&engine, &names);
    backend.remove_unused_caches().await;
    assert_eq!(engine.asked("DELETE /volumes/"), names);
    backend.remove_unused_caches().await;
    let again = [named(500, 2), named(204, 3)].concat();
    assert_eq!(engine.asked("DELETE /volumes/"), again, "what a container had a moment ago is old no more");
}

#[tokio::test]
async fn so_many_are_removed_in_one_go_and_no_more() {
    let names = named(204, 21);
    let engine = engine(&names);
    backend(&engine, &names).remove_unused_caches().await;
    assert_eq!(engine.asked("DELETE /volumes/"), names[..20]);
}

#[tokio::test]
async fn all_that_can_go_goes_with_its_deployment_and_the_rest_is_told() {
    let names = [named(500, 1), named(204, 1)].concat();
    let engine = engine(&names);
    let error = backend(&engine, &names).close(WithCaches::Remove).await.unwrap_err();
    assert_eq!(engine.asked("DELETE /volumes/"), names);
    assert!(chain(&error).contains("did not remove a volume"), "{}", chain(&error));
}
