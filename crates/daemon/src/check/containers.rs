//! A backend of containers: whether its engine answers, and whether every job gets an image.

use std::time::Duration;

use backend::{Backend as _, BackendError};
use backend_docker::{DockerBackend, DockerError, Network, WithUnstarted};
use planner::ids::BackendId;
use planner::label::Environment;

use super::finding::Finding;
use crate::chain;
use crate::config::{Config, DockerSettings, Pool};

/// An engine on this machine answers at once, unless it hangs.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Everything about it.
pub(super) async fn check<'a>(
    id: &BackendId,
    docker: &DockerSettings,
    config: &Config,
    pools: impl Iterator<Item = &'a Pool>,
) -> Vec<Finding> {
    let subject = &format!("backend {id}");
    let mut findings = vec![engine(id, docker, config).await];
    if docker.image.is_none() {
        findings.extend(pools.filter_map(|pool| without_image(subject, pool)));
    }
    if docker.network == Network::Named("host".to_owned()) {
        let message = "its jobs have the host's own network: they reach whatever listens on it, on the loopback too";
        findings.push(Finding::warning(subject, message).hint("leave `network` out, and each is kept from the others"));
    }
    findings
}

async fn engine(id: &BackendId, docker: &DockerSettings, config: &Config) -> Finding {
    let subject = &format!("backend {id}");
    let shown = docker.socket.display();
    let backend = match DockerBackend::new(docker.settings(&config.deployment, id, WithUnstarted::Leave)) {
        Ok(backend) => backend,
        Err(error) => return Finding::error(subject, chain(&error)).hint_if_any(error.hint()),
    };
    match tokio::time::timeout(ANSWER_TIME, backend.list()).await {
        Ok(Ok(_)) => Finding::ok(subject, format!("a container engine answers at {shown}")),
        Ok(Err(error)) => Finding::error(subject, chain(&error)).hint_if_any(hint(&error)),
        Err(_) => Finding::error(subject, format!("what listens at {shown} does not answer"))
            .hint("restart the container engine, and look into its log"),
    }
}

fn hint(error: &BackendError) -> Option<&'static str> {
    error.source.as_ref()?.downcast_ref::<DockerError>()?.hint()
}

/// The first label of a pool that names no image, though the backend has none for it either.
fn without_image(subject: &str, pool: &Pool) -> Option<Finding> {
    let names_one = |environment: &Environment| matches!(environment, Environment::Docker(Some(_)));
    let label = pool.policy.labels.iter().find(|label| !names_one(label.environment()))?;
    let message = format!(
        "jobs of the pool {} whose first label is {} have no image, and cannot be started",
        pool.policy.id,
        label.name()
    );
    let hint = format!("write the label as {}:docker://IMAGE, or give the backend an `image`", label.name());
    Some(Finding::error(subject, message).hint(hint))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::check::Verdict;
    use crate::config::BackendKind;
    use crate::config::tests::{Place, surroundings};

    /// What is found of a backend with these lines and a pool with this label.
    async fn found(lines: &str, label: &str) -> Vec<Finding> {
        let place = Place::new();
        let text = format!(
            "deployment = \"d\"\n[[forge]]\nurl = \"https://forge.example\"\ntoken_file = \"token\"\n\
             scopes = [\"org:acme\"]\n[[pool]]\nname = \"p\"\nlabels = [\"{label}\"]\nbackend = \"b\"\nmax = 1\n\
             [backend.b]\nkind = \"docker\"\n{lines}"
        );
        let parsed = Config::parse(&text, place.path(), &surroundings(&place));
        let config = parsed.unwrap_or_else(|problems| panic!("{problems:#?}"));
        let BackendKind::Docker(docker) = config.backends.values().next().unwrap().kind.clone() else {
            panic!("another kind")
        };
        check(&BackendId::new("b"), &docker, &config, config.pools.iter()).await
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_and_a_job_without_an_image_are_errors() {
        assert!(!Path::new("/nowhere").exists());
        let findings = found("host = \"unix:///nowhere/docker.sock\"", "gpu:host").await;
        let [engine, image] = findings.as_slice() else { panic!("{findings:#?}") };
        assert!(engine.verdict == Verdict::Error && engine.message.contains("could not be reached"), "{engine:?}");
        assert!(engine.hint.as_ref().is_some_and(|hint| hint.contains("`host`")), "{engine:?}");
        assert!(image.verdict == Verdict::Error && image.message.contains("first label is gpu"), "{image:?}");
    }

    #[tokio::test]
    async fn an_image_in_label_or_backend_will_do_and_the_hosts_network_is_a_warning() {
        for (lines, label) in [("", "debian:docker://debian:13"), ("image = \"debian:13\"\n", "gpu:host")] {
            let lines = format!("host = \"unix:///nowhere/docker.sock\"\nnetwork = \"host\"\n{lines}");
            let findings = found(&lines, label).await;
            let [_, network] = findings.as_slice() else { panic!("{findings:#?}") };
            assert!(network.verdict == Verdict::Warning && network.message.contains("loopback"), "{network:?}");
        }
    }
}
