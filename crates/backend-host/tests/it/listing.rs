//! Whose machines are listed, and what stands in the way.

use std::fs;

use backend::{Backend as _, Destroyed};
use backend_host::HostBackend;
use planner::error_class::ErrorClass;
use planner::ids::{DeploymentId, MachineName};
use planner::seen::MachineState;

use crate::host::{Host, request};

#[tokio::test]
async fn machines_of_another_deployment_are_unseen_and_untouched() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    let mut settings = host.settings.clone();
    settings.deployment = DeploymentId::new(format!("{}-other", host.settings.deployment));
    let other = HostBackend::new(settings).unwrap();
    let name = MachineName::new("fs-1");

    let machines = other.list().await.unwrap();
    assert_eq!((machines.complete, machines.rows.len()), (true, 0));
    assert_eq!(other.destroy(&name, std::time::Duration::ZERO).await.unwrap(), Destroyed::Gone);
    assert_eq!(other.logs(&name).await.unwrap_err().class, ErrorClass::NotFound);
    let refused = other.create(request("fs-1", std::time::Duration::from_secs(1))).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Permanent);
    assert_eq!(host.state("fs-1").await, Some(MachineState::Ready));
    host.finish().await;
}

#[tokio::test]
async fn a_row_carries_what_the_machine_was_made_with() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    let seen = host.seen("fs-1").await.unwrap();
    assert_eq!(seen.tags, request("fs-1", std::time::Duration::ZERO).tags);
    host.finish().await;
}

#[tokio::test]
async fn an_unreadable_folder_makes_the_listing_incomplete_and_hides_no_other() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    let broken = host.folder("fs-2");
    for content in [None, Some("{"), Some("{\"deployment\":\"x\"}")] {
        fs::create_dir(&broken).unwrap();
        if let Some(content) = content {
            fs::write(broken.join("machine.json"), content).unwrap();
        }
        let machines = host.list().await;
        assert_eq!((machines.complete, machines.rows.len()), (false, 1), "{content:?}");
        fs::remove_dir_all(&broken).unwrap();
    }
    assert!(host.list().await.complete);
    host.finish().await;
}

#[tokio::test]
async fn a_folder_copied_from_another_machine_is_no_machine() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    let copy = host.folder("fs-copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(host.folder("fs-1").join("machine.json"), copy.join("machine.json")).unwrap();
    let machines = host.list().await;
    assert_eq!((machines.complete, machines.rows.len()), (false, 1));
    fs::remove_dir_all(copy).unwrap();
    host.finish().await;
}

#[tokio::test]
async fn leftovers_of_a_crash_are_cleaned_up_unless_they_are_anothers() {
    let host = Host::with_runner("");
    let record = |deployment: &str| {
        let tags = serde_json::to_value(request("fs-9", std::time::Duration::ZERO).tags).unwrap();
        let stop_grace_ms = 1000;
        serde_json::json!({ "deployment": deployment, "name": "fs-9", "tags": tags, "stop_grace_ms": stop_grace_ms, "created_ms": 1 })
            .to_string()
    };
    let own = std::process::id();
    let ours = host.settings.deployment.as_str();
    // Start time 0: no process has it, so whoever made these has ended.
    let cleaned = [
        (format!(".new-{own}.0.fs-1"), None),
        (format!(".new-{own}.0.fs-2"), Some("{".to_owned())),
        (format!(".new-{own}.0.fs-3"), Some(record(ours))),
        (".gone-fs-4".to_owned(), None),
        (".gone-fs-5".to_owned(), Some(record(ours))),
    ];
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap();
    let kept = [
        (format!(".new-{own}.{started}.fs-6"), None),
        (format!(".new-{own}.0.fs-7"), Some(record("another"))),
        (".gone-fs-8".to_owned(), Some(record("another"))),
    ];
    for (name, content) in cleaned.iter().chain(&kept) {
        let folder = host.folder(name);
        fs::create_dir_all(folder.join("work")).unwrap();
        if let Some(content) = content {
            fs::write(folder.join("machine.json"), content).unwrap();
        }
    }
    let machines = host.list().await;
    assert_eq!((machines.complete, machines.rows.len()), (true, 0));
    for (name, _) in &cleaned {
        assert!(!host.folder(name).exists(), "{name}");
    }
    for (name, _) in &kept {
        assert!(host.folder(name).exists(), "{name}");
        fs::remove_dir_all(host.folder(name)).unwrap();
    }
    host.finish().await;
}
