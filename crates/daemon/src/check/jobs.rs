//! What jobs that run on the host itself can reach, by the user that they run as: a token of a forge must not be among it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backend_host::{RunAs, User};
use planner::label::Environment;

use super::access::{Use, may};
use super::docker;
use super::finding::Finding;
use crate::config::{Config, HostSettings, Pool};

/// The reach of a backend's host jobs; nothing if it has none.
pub(super) fn check<'a>(
    subject: &str,
    host: &HostSettings,
    config: &Config,
    mut pools: impl Iterator<Item = &'a Pool>,
) -> Vec<Finding> {
    let on_host = |pool: &&Pool| pool.policy.labels.iter().any(|label| *label.environment() == Environment::Host);
    let Some(pool) = pools.find(on_host) else { return Vec::new() };
    let jobs = format!("jobs of the pool {}", pool.policy.id);
    let (users, apart) = match &host.run_as {
        RunAs::Daemon => return vec![as_daemon(subject, &jobs)],
        RunAs::One(user) => (std::slice::from_ref(user), format!("{jobs} run as {}, one beside the other", user.name)),
        RunAs::OnePerMachine(users) => (users.as_slice(), format!("{jobs} run as {} users, each alone", users.len())),
    };
    let mut wrong: Vec<Finding> = tokens(config).iter().filter_map(|file| reads(subject, &jobs, users, file)).collect();
    wrong.extend(docker::sockets(host).iter().filter_map(|socket| becomes_root(subject, &jobs, users, socket)));
    if wrong.is_empty() {
        vec![Finding::ok(subject, format!("{apart}, and cannot read the forge's tokens"))]
    } else {
        wrong
    }
}

fn as_daemon(subject: &str, jobs: &str) -> Finding {
    let message = format!(
        "{jobs} run as the user of Forgescale itself: each can read the forge's token and the files of other jobs"
    );
    Finding::warning(subject, message).hint(
        "run Forgescale as root with `user` or `users`, serve only repositories that you trust, or use docker:// labels",
    )
}

/// All files that tokens are read from.
fn tokens(config: &Config) -> BTreeSet<&PathBuf> {
    config.forges.iter().flat_map(|forge| &forge.scopes).filter_map(|scope| scope.token_file.as_ref()).collect()
}

fn reads(subject: &str, jobs: &str, users: &[User], file: &Path) -> Option<Finding> {
    // One that cannot be looked at has been complained about where it was read.
    let reader = users.iter().find(|user| may(user, file, Use::Read).unwrap_or(false))?;
    let message = format!("{jobs} run as {}, who can read the token in {}", reader.name, file.display());
    Some(Finding::error(subject, message).hint(format!("chown root: {0}; chmod 600 {0}", file.display())))
}

fn becomes_root(subject: &str, jobs: &str, users: &[User], socket: &Path) -> Option<Finding> {
    let user = users.iter().find(|user| may(user, socket, Use::Write).unwrap_or(false))?;
    let message = format!(
        "{jobs} run as {}, who can use the container engine at {} and so become root",
        user.name,
        socket.display()
    );
    Some(Finding::warning(subject, message).hint(
        "serve labels with :host and with docker:// by two backends whose users differ: only the latter's needs the engine",
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_token_that_jobs_could_read_is_an_error_and_an_engine_a_warning() {
        let place = tempfile::tempdir().unwrap();
        set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let file = place.path().join("token");
        write(&file, "secret").unwrap();
        let owner = std::fs::metadata(&file).unwrap();
        let (uid, gid) = (owner.uid() + 12_345, owner.gid());
        let users = [User { name: "ci".to_owned(), uid, gid, groups: Vec::new() }];
        let found = |mode: u32| {
            set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let verdict = |finding: Option<Finding>| finding.map(|finding| finding.verdict);
            (verdict(reads("backend", "jobs", &users, &file)), verdict(becomes_root("backend", "jobs", &users, &file)))
        };
        assert_eq!(found(0o600), (None, None));
        assert_eq!(found(0o640), (Some(Verdict::Error), None));
        assert_eq!(found(0o620), (None, Some(Verdict::Warning)));
    }
}
