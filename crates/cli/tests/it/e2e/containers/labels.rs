//! The first label of a job picks the environment, in whichever pool and among whichever other labels it stands.

use std::collections::{BTreeMap, BTreeSet};

use forge_model::script::{Concurrency, JobSpec};

use super::Engine;
use crate::e2e::config::{Pool, Setup};
use crate::e2e::world::{Pushed, World};

/// How often each list of labels is asked for: enough for both pools to get some.
const TIMES: usize = 3;

#[test]
fn the_environment_is_that_of_the_first_label_in_every_pool() {
    let Some(engine) = Engine::docker() else { return };
    let (debian, gpu) = (engine.image_of("debian"), engine.image_of("gpu"));
    let (debian, gpu, plain) =
        (format!("\"debian:docker://{debian}\""), format!("\"gpu:docker://{gpu}\""), "\"plain:host\"");
    let pool = |name, labels| Pool { labels: Some(labels), ..Pool::new(name, 3) };
    let pools =
        vec![pool("one", format!("[{debian}, {gpu}, {plain}]")), pool("other", format!("[{plain}, {gpu}, {debian}]"))];
    let mut world = World::new(&Setup { engine: Some(engine), pools, ..Setup::new(1) });
    let asked: [(&[&str], &str); 7] = [
        (&["debian", "gpu"], "debian"),
        (&["gpu", "debian"], "gpu"),
        (&["debian"], "debian"),
        (&["gpu"], "gpu"),
        (&["gpu", "plain", "debian"], "gpu"),
        (&["plain", "gpu"], "nobody"),
        (&["debian", "plain"], "debian"),
    ];
    let script = "echo \"I am $(cat /etc/who 2>/dev/null || echo nobody).\"";
    let push = |labels: &[&str]| world.push_job(JobSpec::shell("build", labels, script), Concurrency::unlimited());
    let jobs: Vec<(Pushed, _, _)> =
        (0..TIMES).flat_map(|_| asked).map(|(labels, who)| (push(labels), labels, who)).collect();
    world.start(&[]);
    let all: Vec<Pushed> = jobs.iter().map(|(job, ..)| job.clone()).collect();
    world.until("all jobs have ended", || all.iter().all(|job| world.attempt(job).ended_at.is_some()));

    let mut served: BTreeMap<&[&str], BTreeSet<String>> = BTreeMap::new();
    for (job, labels, who) in &jobs {
        let log = world.job_log(job);
        assert!(log.iter().any(|line| line.contains(&format!("I am {who}."))), "{labels:?}: {log:#?}");
        let registrations = world.registrations(job);
        let pools = registrations
            .iter()
            .filter_map(|made| made.description.split(' ').find_map(|word| word.strip_prefix("pool=")));
        served.entry(labels).or_default().extend(pools.map(str::to_owned));
    }
    let pools: BTreeSet<&String> = served.values().flatten().collect();
    assert_eq!(pools.len(), 2, "one pool alone has served all: {served:?}");
    world.check_success(&all);
    world.check_nothing_left();
}
