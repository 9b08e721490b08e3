//! What jobs that run on the host itself can reach, by the user that they run as: a token of a forge must not be among it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backend_host::{Permission, RunAs, User};
use planner::label::Environment;

use super::access::{may, passes, replaceable};
use super::docker;
use super::finding::Finding;
use crate::config::{Config, HostSettings, Pool};

/// What keeps another user from being one that a runner can run as.
pub(super) fn hindrances(subject: &str, host: &HostSettings, config: &Config) -> Vec<Finding> {
    let users = host.run_as.users();
    let way = users.iter().find_map(|user| blocked(subject, user, &config.state_directory));
    let program = users.iter().find_map(|user| cannot_run(subject, user, &host.runner));
    let replaced = users.iter().find_map(|user| could_replace(subject, user, host));
    way.into_iter().chain(program).chain(replaced).collect()
}

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
    let users = host.run_as.users();
    let apart = match &host.run_as {
        RunAs::Daemon => return vec![as_daemon(subject, &jobs)],
        RunAs::One(user) => format!("{jobs} run as {}, one beside the other", user.name),
        RunAs::OnePerMachine(users) => format!("{jobs} run as {} users, each alone", users.len()),
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

/// Jobs work below the state directory. That itself is opened by the daemon; what is missing above it will be made, closed.
fn blocked(subject: &str, user: &User, state_directory: &Path) -> Option<Finding> {
    let mut above = state_directory.ancestors().skip(1);
    let closed = above.find(|directory| !passes(user, directory).unwrap_or(false))?;
    let message = format!(
        "jobs run as {}, who cannot pass through {} to work below the state directory",
        user.name,
        closed.display()
    );
    Some(
        Finding::error(subject, message)
            .hint(format!("chmod a+x {} (make it first if it is not there)", closed.display())),
    )
}

fn cannot_run(subject: &str, user: &User, runner: &Path) -> Option<Finding> {
    let runner_shown = runner.display();
    (!may(user, runner, Permission::Run).unwrap_or(false)).then(|| {
        Finding::error(subject, format!("runners run as {}, who cannot run {runner_shown}", user.name))
            .hint(format!("put it where everybody can run it, as /usr/local/bin, with chmod 755 {runner_shown}"))
    })
}

/// The next job, perhaps of another user, would run what an earlier one has put there.
fn could_replace(subject: &str, user: &User, host: &HostSettings) -> Option<Finding> {
    let scripts = host.runner_arguments.iter().filter_map(|argument| script(argument));
    let (file, by) = std::iter::once(host.runner.as_path())
        .chain(scripts)
        .find_map(|file| replaceable(user, file).map(|by| (file.display(), by)))?;
    let by = by.display();
    let message = format!("jobs run as {}, who can replace {file}, since {by} is theirs or open to them", user.name);
    Some(Finding::error(subject, message).hint(format!("chown root: {by}; chmod go-w {by}")))
}

/// The file that one of the runner's first arguments names, as a script that a shell is to run.
fn script(argument: &str) -> Option<&Path> {
    let path = argument.split_once('=').map_or(argument, |(_, value)| value);
    Some(Path::new(path)).filter(|path| path.is_absolute() && path.exists())
}

fn reads(subject: &str, jobs: &str, users: &[User], file: &Path) -> Option<Finding> {
    // One that cannot be looked at has been complained about where it was read.
    let reader = users.iter().find(|user| may(user, file, Permission::Read).unwrap_or(false))?;
    let message = format!("{jobs} run as {}, who can read the token in {}", reader.name, file.display());
    Some(Finding::error(subject, message).hint(format!("chown root: {0}; chmod 600 {0}", file.display())))
}

fn becomes_root(subject: &str, jobs: &str, users: &[User], socket: &Path) -> Option<Finding> {
    let user = users.iter().find(|user| may(user, socket, Permission::Write).unwrap_or(false))?;
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
        let state = place.path().join("state");
        assert_eq!(blocked("backend", &users[0], &state), None);
        assert!(blocked("backend", &users[0], &state.join("deeper")).unwrap().message.contains("/state"));
        assert!(cannot_run("backend", &users[0], &file).is_some());
        found(0o755);
        assert_eq!(cannot_run("backend", &users[0], &file), None);
        assert_eq!(found(0o600), (None, None));
        assert_eq!(found(0o640), (Some(Verdict::Error), None));
        assert_eq!(found(0o620), (None, Some(Verdict::Warning)));
    }

    #[test]
    fn a_runner_or_a_script_for_it_that_jobs_could_replace_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let [runner, script] = ["runner", "script"].map(|name| place.path().join(name));
        for file in [&runner, &script] {
            write(file, "").unwrap();
            set_permissions(file, Permissions::from_mode(0o755)).unwrap();
        }
        let user = User { name: "ci".to_owned(), uid: 4_000_000, gid: 4_000_000, groups: Vec::new() };
        let host = HostSettings {
            runner: runner.clone(),
            runner_arguments: vec!["-x".to_owned(), format!("--rcfile={}", script.display()), "/no/such".to_owned()],
            run_as: RunAs::One(user.clone()),
            limits: backend_host::Limits::default(),
            cache: None,
            path: String::new(),
            environment: std::collections::BTreeMap::new(),
            log_limit: 0,
        };
        let found = || could_replace("backend", &user, &host).map(|finding| (finding.verdict, finding.message));
        assert_eq!(found(), None);
        for file in [&script, &runner] {
            set_permissions(file, Permissions::from_mode(0o777)).unwrap();
            let (verdict, message) = found().unwrap();
            assert!(verdict == Verdict::Error && message.contains(&format!("replace {}", file.display())), "{message}");
        }
    }
}
