//! A backend of containers: whether its engine answers and has what it is to use, whether the runner runs in any image, and
//! whether every job gets an image and reaches its forge.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use backend::{Backend as _, BackendError};
use backend_docker::{
    DockerBackend, DockerError, EngineFacts, Mode, Network, Pull, WithUnstarted, is_image_reference, shown_bytes,
};
use backend_host::Program;
use jiff::Timestamp;
use planner::ids::BackendId;
use planner::label::Environment;
use reqwest::Url;

use super::finding::Finding;
use super::static_program::{self, Kind};
use super::{caches, registries, runner, warm, way};
use crate::chain;
use crate::config::{Config, DockerSettings, Pool};

/// An engine answers at once, unless it hangs, also from another host.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Everything about it.
pub(super) async fn check<'a>(
    id: &BackendId,
    docker: &'a DockerSettings,
    config: &Config,
    pools: impl Iterator<Item = &'a Pool> + Clone,
) -> Vec<Finding> {
    let subject = &format!("backend {id}");
    let images = docker.images(pools.clone());
    let (engine, facts) = engine(id, docker, config, &images).await;
    let mut findings = vec![engine];
    findings.extend(runner(subject, docker, facts.as_ref()).await);
    findings.extend(facts.iter().flat_map(|facts| lacking(subject, docker, facts)));
    if facts.is_some() {
        findings.extend(caches::check(id, docker, config).await);
    }
    findings.extend(images.iter().filter(|image| !is_image_reference(image)).map(|image| malformed(subject, image)));
    findings.extend(registries::check(id, docker, config, &images).await);
    findings.extend(way::check(subject, &docker.address));
    findings.extend(mode(subject, &docker.mode));
    if docker.image.is_none() && !matches!(docker.mode, Mode::Nested { .. }) {
        findings.extend(pools.clone().filter_map(|pool| without_image(subject, pool)));
    }
    findings.extend(pools.flat_map(|pool| warm::check(docker, pool, Timestamp::now())));
    if docker.network == Network::Named("host".to_owned()) {
        let message = "its jobs have the host's own network: they reach whatever listens on it, on the loopback too";
        findings.push(Finding::warning(subject, message).hint("leave `network` out, and each is kept from the others"));
    } else {
        findings.extend(config.forges.iter().filter_map(|forge| on_loopback(subject, &forge.runner_url)));
    }
    findings
}

/// What it means that jobs see an engine.
fn mode(subject: &str, mode: &Mode) -> Option<Finding> {
    match mode {
        Mode::Direct | Mode::Nested { privileged: false, .. } => None,
        Mode::Socket => {
            let message = "its jobs have the socket of the container engine: each can become root of the engine's host, \
                 and see and change the other jobs; what they start there is not removed with their machine";
            let hint = "use mode = \"direct\", or \"nested\" for jobs that need an engine";
            Some(Finding::warning(subject, message).hint(hint))
        }
        Mode::Nested { privileged: true, .. } => {
            let message = "its jobs have engines that are privileged: a job that breaks out of its container, or asks its \
                 engine for a privileged one, can do what root of the host can";
            let hint = "serve only repositories that you trust, or name a runtime that needs no privileges: \
                 runtime = \"sysbox-runc\" and nested_privileged = false";
            Some(Finding::warning(subject, message).hint(hint))
        }
    }
}

async fn engine(
    id: &BackendId,
    docker: &DockerSettings,
    config: &Config,
    images: &BTreeSet<&str>,
) -> (Finding, Option<EngineFacts>) {
    let subject = &format!("backend {id}");
    let shown = &docker.address;
    let backend = match DockerBackend::new(docker.settings(&config.deployment, id, WithUnstarted::Leave)) {
        Ok(backend) => backend,
        Err(error) => return (Finding::error(subject, chain(&error)).hint_if_any(error.hint()), None),
    };
    let looks = async {
        backend.list().await?;
        backend.look(images).await
    };
    match tokio::time::timeout(ANSWER_TIME, looks).await {
        Ok(Ok(facts)) => (Finding::ok(subject, format!("a container engine answers at {shown}")), Some(facts)),
        Ok(Err(error)) => (Finding::error(subject, chain(&error)).hint_if_any(hint(&error)), None),
        Err(_) => {
            let message = format!("what listens at {shown} does not answer");
            (Finding::error(subject, message).hint("restart the container engine, and look into its log"), None)
        }
    }
}

/// The runner's program: whether it runs in any image of this engine, and which it is.
async fn runner(subject: &str, docker: &DockerSettings, facts: Option<&EngineFacts>) -> Vec<Finding> {
    let shown = docker.runner.display();
    let kind = match static_program::kind(&docker.runner) {
        Ok(kind) => kind,
        Err(error) => {
            let message = format!("the runner {shown} could not be read: {error}");
            return vec![
                Finding::error(subject, message).hint("give its path: runner = \"/usr/local/bin/forgejo-runner\""),
            ];
        }
    };
    let engine = facts.map(|facts| facts.architecture.as_str()).filter(|engine| !engine.is_empty());
    let mut findings: Vec<Finding> = unfit(subject, docker, kind, engine).into_iter().collect();
    let runs_here = match kind {
        Kind::Static(processor) | Kind::Dynamic(processor) => processor == std::env::consts::ARCH,
        Kind::NoProgram => true,
        Kind::Other => false,
    };
    if runs_here {
        let program = Program { path: docker.runner.clone(), arguments: docker.runner_arguments.clone() };
        let path = std::env::var("PATH").unwrap_or_default();
        findings.push(runner::check(subject, &program, &path, None).await);
    }
    findings
}

/// Why a program of this kind does not run in every image, if so.
fn unfit(subject: &str, docker: &DockerSettings, kind: Kind, engine: Option<&str>) -> Option<Finding> {
    let shown = docker.runner.display();
    let released = "take Forgejo Runner as it is released for the engine's processor: a static program";
    let of = match kind {
        Kind::Static(processor) | Kind::Dynamic(processor) => Some(processor),
        Kind::Other | Kind::NoProgram => None,
    };
    if let (Some(processor), Some(engine)) = (of, engine)
        && processor != engine
    {
        let message = format!("the runner {shown} is for {processor}, and the engine's containers run on {engine}");
        return Some(Finding::error(subject, message).hint(released));
    }
    let message = match kind {
        Kind::Static(_) => return None,
        Kind::Other => format!("the runner {shown} is for another processor"),
        Kind::Dynamic(_) => format!("the runner {shown} is not static: it runs only in images that have its libraries"),
        Kind::NoProgram => format!("the runner {shown} is no program of its own: each image must have what runs it"),
    };
    Some(Finding::warning(subject, message).hint(released))
}

/// What the engine does not have although it is to be used.
fn lacking(subject: &str, docker: &DockerSettings, facts: &EngineFacts) -> Vec<Finding> {
    let (mut findings, command) = (Vec::new(), docker.command);
    if docker.pull == Pull::Never {
        findings.extend(facts.missing_images.iter().map(|image| {
            let message = format!("the engine has no image {image}, and pull = \"never\": its jobs cannot be started");
            Finding::error(subject, message).hint(format!("{command} pull {image} on its host, or pull = \"missing\""))
        }));
    }
    if let Some(runtime) = docker.runtime.as_ref().filter(|runtime| !facts.runtimes.contains(*runtime)) {
        let known = facts.runtimes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("the engine knows no runtime {runtime}: no container starts");
        findings.push(
            Finding::error(subject, message).hint(format!("it knows {known}; more are named in its daemon.json")),
        );
    }
    if let Some(disk) = facts.disk.as_ref().filter(|disk| disk.free_bytes < docker.disk_free) {
        let (folder, free, wanted) =
            (disk.folder.display(), shown_bytes(disk.free_bytes), shown_bytes(docker.disk_free));
        let message = format!("the engine's disk is nearly full: {free} are free in {folder}, less than {wanted}");
        findings.push(Finding::warning(subject, message).hint(format!(
            "{command} system prune removes what nothing uses; prune_images = \"7d\" removes images of ours that no job needs; \
             disk_free says what is enough",
        )));
    }
    if let (true, Network::Named(network)) = (facts.lacks_network, &docker.network) {
        let message = format!("the engine has no network {network}: no container starts");
        findings.push(
            Finding::error(subject, message)
                .hint(format!("make it with {command} network create {network}, or leave `network` out")),
        );
    }
    findings
}

fn malformed(subject: &str, image: &str) -> Finding {
    Finding::error(subject, format!("{image} cannot be the name of an image: its jobs cannot be started"))
        .hint("write it as docker pull takes it: node:22-bookworm, registry.example/image@sha256:…")
}

/// A forge that containers would look for in themselves.
fn on_loopback(subject: &str, url: &Url) -> Option<Finding> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    let is_name = host == "localhost" || host.ends_with(".localhost");
    let is_loopback = is_name || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback.then(|| {
        let message = format!("its jobs are told that the forge is at {url}, which is each container itself");
        Finding::error(subject, message).hint("give the forge a runner_url with an address that containers reach")
    })
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
pub(super) mod tests {
    use std::path::Path;

    use backend_docker::Disk;

    use super::*;
    use crate::check::Verdict;
    use crate::config::BackendKind;
    use crate::config::tests::{Place, surroundings};

    /// A backend with these lines and a pool with this label.
    pub(in crate::check) fn docker(place: &Place, lines: &str, label: &str) -> (DockerSettings, Config) {
        let text = format!(
            "deployment = \"d\"\n[[forge]]\nurl = \"https://forge.example\"\ntoken_file = \"token\"\n\
             scopes = [\"org:acme\"]\n[[pool]]\nname = \"p\"\nlabels = [\"{label}\"]\nbackend = \"b\"\nmax = 1\n\
             [backend.b]\nkind = \"docker\"\n{lines}"
        );
        let parsed = Config::parse(&text, place.path(), &surroundings(place));
        let config = parsed.unwrap_or_else(|problems| panic!("{problems:#?}"));
        let BackendKind::Docker(docker) = config.backends.values().next().unwrap().kind.clone() else {
            panic!("another kind")
        };
        (*docker, config)
    }

    /// What is found of it.
    async fn found(lines: &str, label: &str) -> Vec<Finding> {
        let place = Place::new();
        let (docker, config) = docker(&place, lines, label);
        check(&BackendId::new("b"), &docker, &config, config.pools.iter()).await
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_and_a_job_without_an_image_are_errors() {
        assert!(!Path::new("/nowhere").exists());
        let findings = found("host = \"unix:///nowhere/docker.sock\"", "gpu:host").await;
        let [engine, .., image] = findings.as_slice() else { panic!("{findings:#?}") };
        assert!(engine.verdict == Verdict::Error && engine.message.contains("could not be reached"), "{engine:?}");
        assert!(engine.hint.as_ref().is_some_and(|hint| hint.contains("`host`")), "{engine:?}");
        assert!(image.verdict == Verdict::Error && image.message.contains("first label is gpu"), "{image:?}");
    }

    #[tokio::test]
    async fn an_image_in_label_or_backend_will_do_and_the_hosts_network_is_a_warning() {
        for (lines, label) in [("", "debian:docker://debian:13"), ("image = \"debian:13\"\n", "gpu:host")] {
            let lines = format!("host = \"unix:///nowhere/docker.sock\"\nnetwork = \"host\"\n{lines}");
            let findings = found(&lines, label).await;
            let [_, .., network] = findings.as_slice() else { panic!("{findings:#?}") };
            assert!(network.verdict == Verdict::Warning && network.message.contains("loopback"), "{network:?}");
        }
    }

    /// What is said of an engine with these facts, by a backend with these lines.
    fn said(lines: &str, facts: &EngineFacts) -> Vec<String> {
        let place = Place::new();
        let docker = docker(&place, lines, "debian:docker://debian:13").0;
        lacking("backend b", &docker, facts).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn what_an_engine_lacks_is_an_error_where_nobody_brings_it() {
        let facts = EngineFacts {
            architecture: "x86_64".to_owned(),
            runtimes: BTreeSet::from(["runc".to_owned()]),
            missing_images: BTreeSet::from(["debian:13".to_owned()]),
            disk: Some(Disk { folder: "/var/lib/engine".into(), free_bytes: 6 << 30 }),
            lacks_network: true,
        };
        assert_eq!(said("", &facts), [""; 0]);
        let [disk] = &said("disk_free = \"7GiB\"", &facts)[..] else { panic!() };
        assert!(disk.contains("6.0 GiB are free in /var/lib/engine, less than 7.0 GiB"), "{disk}");
        let [image] = &said("pull = \"never\"", &facts)[..] else { panic!() };
        assert!(image.contains("no image debian:13"), "{image}");
        let [runtime] = &said("runtime = \"runsc\"", &facts)[..] else { panic!() };
        assert!(runtime.contains("no runtime runsc"), "{runtime}");
        let [network] = &said("network = \"ci\"", &facts)[..] else { panic!() };
        assert!(network.contains("no network ci"), "{network}");
        assert_eq!(
            said("runtime = \"runc\"\nnetwork = \"ci\"", &EngineFacts { lacks_network: false, ..facts }),
            [""; 0]
        );
    }

    #[test]
    fn a_runner_must_run_in_any_image_on_the_engines_processor() {
        let place = Place::new();
        let docker = docker(&place, "", "debian:docker://debian:13").0;
        let verdict = |kind, engine| unfit("backend b", &docker, kind, engine).map(|finding| finding.verdict);
        assert_eq!(verdict(Kind::Static("x86_64"), Some("x86_64")), None);
        assert_eq!(verdict(Kind::Static("x86_64"), None), None);
        assert_eq!(verdict(Kind::Static("aarch64"), Some("x86_64")), Some(Verdict::Error));
        for kind in [Kind::Dynamic("x86_64"), Kind::NoProgram, Kind::Other] {
            assert_eq!(verdict(kind, Some("x86_64")), Some(Verdict::Warning), "{kind:?}");
        }
    }

    #[test]
    fn a_forge_on_the_loopback_is_out_of_a_containers_reach() {
        let is_out = |url: &str| on_loopback("backend b", &url.parse().unwrap()).is_some();
        for url in ["http://localhost:3000/", "http://127.1.2.3/", "http://[::1]:3000/", "https://forge.localhost/"] {
            assert!(is_out(url), "{url}");
        }
        for url in
            ["https://forge.example/", "http://172.17.0.1:3000/", "http://[fd00::1]/", "http://localhost.example/"]
        {
            assert!(!is_out(url), "{url}");
        }
    }

    #[tokio::test]
    async fn a_malformed_image_and_a_runner_that_is_no_program_are_told() {
        let findings = found("host = \"unix:///nowhere/docker.sock\"\nimage = \"a//b\"\n", "x:docker://Debian").await;
        for word in ["a//b cannot be", "Debian cannot be", "is no program of its own"] {
            assert!(findings.iter().any(|finding| finding.message.contains(word)), "{word}: {findings:#?}");
        }
    }

    #[tokio::test]
    async fn jobs_that_see_an_engine_are_a_warning_that_says_what_it_means() {
        for (lines, words) in [
            ("mode = \"direct\"", None),
            ("mode = \"socket\"", Some("become root of the engine's host")),
            ("mode = \"nested\"", Some("can do what root of the host can")),
            ("mode = \"nested\"\nnested_privileged = false", None),
        ] {
            let lines = format!("host = \"unix:///nowhere/docker.sock\"\nimage = \"debian:13\"\n{lines}");
            let findings = found(&lines, "gpu:host").await;
            let of_mode = findings.iter().find(|finding| finding.message.contains("its jobs"));
            let said = of_mode.map(|finding| finding.message.as_str());
            match words {
                None => assert_eq!(said, None),
                Some(words) => assert!(said.is_some_and(|said| said.contains(words)), "{said:?}"),
            }
        }
    }
}
