//! A machine that an earlier call has made.

use backend::{Backend as _, CreateRequest, chain};
use backend_docker::DockerBackend;
use planner::error_class::{Acted, ErrorClass};
use planner::ids::{MachineName, PoolId};
use planner::seen::WarmTags;
use serde_json::json;

use crate::machine::request;
use crate::scripted::Scripted;

/// In the question for the containers of one machine.
const OF_IT: &str = "forgescale%2Ename";

#[tokio::test]
async fn of_a_machine_that_an_earlier_call_made_nobody_says_that_it_was_never_asked_for() {
    let tags = WarmTags { pool: PoolId::new("p"), image: None, made_of: "x".to_owned() };
    let wanted = CreateRequest { tags: tags.into(), ..request(MachineName::new("fs-1")) };
    let labels = json!({
        "forgescale.deployment": "d",
        "forgescale.backend": "containers",
        "forgescale.role": "machine",
        "forgescale.name": "fs-1",
        "forgescale.tags": serde_json::to_string(&wanted.tags).unwrap(),
    });
    let made = json!([{ "Id": "x", "Names": ["/fs-1"], "Labels": labels, "State": "created" }]).to_string();
    let volume =
        json!({ "Name": "v", "Driver": "local", "Mountpoint": "/", "Labels": {}, "Scope": "local", "Options": {} });
    // It is gone when the machine has been found, which is still to be begun.
    let engine = Scripted::open(Some(OF_IT), move |question| match question {
        "POST /volumes/create" => (201, volume.to_string()),
        "POST /containers/create" => (201, json!({ "Id": "f", "Warnings": [] }).to_string()),
        listing if listing.starts_with("GET /containers/json") && listing.contains(OF_IT) => (200, made.clone()),
        listing if listing.starts_with("GET /containers/json") => (200, "[]".to_owned()),
        _ => (200, "{}".to_owned()),
    });
    let backend = DockerBackend::new(engine.settings()).unwrap();
    let error = backend.create(wanted).await.unwrap_err();
    assert_eq!((error.class, error.acted), (ErrorClass::Transient, Acted::Maybe), "{}", chain(&error));
    let asked = engine.asked("");
    assert!(asked.last().is_some_and(|last| last.contains(OF_IT)), "{asked:#?}");
}
