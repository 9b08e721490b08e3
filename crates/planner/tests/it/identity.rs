//! What is ours: exactly what name and description both say so of.

use planner::identity::{RunnerIdentity, machine_name};
use planner::ids::{DeploymentId, Handle, Ordinal, PoolId, Try};

use crate::scene::{acme, job_key};

/// Whether `ours` takes a runner for its own that has the name of deployment `named` and the description of `described`.
fn is_ours(ours: &str, named: &str, described: &str) -> bool {
    let identity =
        RunnerIdentity { pool: PoolId::new("debian"), handle: Handle::new("h1"), attempt: Try(1), ordinal: Ordinal(1) };
    let machine = machine_name(&DeploymentId::new(named), &job_key("h1"), Try(1));
    let description = identity.description(&DeploymentId::new(described));
    let name = identity.runner_name(&machine);
    RunnerIdentity::read(&DeploymentId::new(ours), &acme().forge, &name, &description).is_some()
}

#[test]
fn only_the_exact_deployment_in_name_and_description_is_ours() {
    assert!(is_ours("ci", "ci", "ci"));
    for other in ["ci-berlin", "c", "CI", "ci "] {
        assert!(!is_ours("ci", "ci", other), "described as {other:?}");
        assert!(!is_ours("ci", other, "ci"), "named as {other:?}");
        assert!(!is_ours("ci", other, other), "{other:?}");
    }
}

#[test]
fn names_differ_by_deployment_forge_handle_and_try() {
    let name = |deployment: &str, handle: &str, attempt| {
        machine_name(&DeploymentId::new(deployment), &job_key(handle), Try(attempt))
    };
    let first = name("ci", "h1", 1);
    for other in [name("ci2", "h1", 1), name("ci", "h2", 1), name("ci", "h1", 2), name("cih", "1", 1)] {
        assert_ne!(first, other);
    }
}
