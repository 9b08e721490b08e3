//! Credentials for registries: whether the file has them for the images that are to be pulled. No registry is asked.

use std::collections::BTreeSet;

use backend_docker::{DockerBackend, Pull, WithUnstarted};
use planner::ids::BackendId;

use super::finding::Finding;
use super::open_file;
use crate::chain;
use crate::config::{Config, DockerSettings};

/// What is said of the file, and for each registry of which it says something wrong.
pub(super) async fn check(
    id: &BackendId,
    docker: &DockerSettings,
    config: &Config,
    images: &BTreeSet<&str>,
) -> Vec<Finding> {
    let Some(file) = docker.registry_auth_file.as_ref().filter(|_| docker.pull != Pull::Never) else {
        return Vec::new();
    };
    // That it cannot be made is told elsewhere.
    let Ok(backend) = DockerBackend::new(docker.settings(&config.deployment, id, WithUnstarted::Leave)) else {
        return Vec::new();
    };
    let (subject, shown) = (&format!("backend {id}"), file.display());
    let (mut findings, mut known, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (registry, found) in backend.look_at_credentials(images).await {
        match found {
            Ok(true) => known.push(registry),
            Ok(false) => unknown.push(registry),
            Err(error) => {
                let message = format!("images of {registry} cannot be pulled: {}", chain(&error));
                findings.push(Finding::error(subject, message).hint(error.hint()));
            }
        }
    }
    if !known.is_empty() {
        findings.push(Finding::ok(subject, format!("{shown} has credentials for {}", known.join(", "))));
    } else if findings.is_empty() && !unknown.is_empty() {
        let message = format!("{shown} has no credentials for any registry of its images: {}", unknown.join(", "));
        let hint =
            "docker --config DIRECTORY login REGISTRY writes them; leave registry_auth_file out if none are needed";
        findings.push(Finding::warning(subject, message).hint(hint));
    }
    findings.extend(open_file::check(subject, file, ""));
    findings
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::containers::tests::docker;
    use super::*;
    use crate::check::Verdict;
    use crate::config::tests::Place;

    /// What is said with this file, or none, of a backend with the image `registry.example/a:1`.
    async fn said(content: Option<&str>, mode: u32, pull: &str) -> Vec<(Verdict, String)> {
        let place = Place::new();
        let file = place.path().join("registries.json");
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        }
        let lines = format!("registry_auth_file = \"registries.json\"\npull = \"{pull}\"\n");
        let (docker, config) = docker(&place, &lines, "a:docker://registry.example/a:1");
        let images = BTreeSet::from(["registry.example/a:1", "registry.example/b", "not//one"]);
        let findings = check(&BackendId::new("b"), &docker, &config, &images).await;
        findings.into_iter().map(|finding| (finding.verdict, finding.message)).collect()
    }

    #[tokio::test]
    async fn a_file_that_has_nothing_for_the_images_or_is_wrong_is_told_and_no_secret_is() {
        let good = r#"{"auths":{"registry.example":{"username":"u","password":"hunter2"}}}"#;
        let [(Verdict::Ok, message)] = &said(Some(good), 0o600, "missing").await[..] else { panic!() };
        assert!(message.ends_with("has credentials for registry.example"), "{message}");
        let [_, (Verdict::Warning, message)] = &said(Some(good), 0o644, "always").await[..] else { panic!() };
        assert!(message.starts_with("everybody"), "{message}");
        let other = r#"{"auths":{"other.example":{"username":"u","password":"hunter2"}}}"#;
        let [(Verdict::Warning, message)] = &said(Some(other), 0o600, "missing").await[..] else { panic!() };
        assert!(message.ends_with("images: registry.example"), "{message}");
        for wrong in [None, Some("hunter2"), Some(r#"{"credsStore":"forgescale-test-no-such-helper"}"#)] {
            let [(Verdict::Error, message)] = &said(wrong, 0o600, "missing").await[..] else { panic!() };
            assert!(message.contains("registry.example cannot be pulled") && !message.contains("hunter2"), "{message}");
        }
        assert!(said(None, 0o600, "never").await.is_empty());
    }
}
