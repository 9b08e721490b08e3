//! Containers, networks and volumes that a killed runner leaves behind.
//!
//! Forgejo Runner takes options for the containers of a job and its services from its configuration file, so these carry
//! [`LABEL`] with the machine's marker. Its volumes and its network have random names and no label: they are found by
//! looking at what the labelled containers use, and so are the containers of single steps (`uses: docker://…`), which
//! share the volumes. What has a name that the runner does not make up is never removed: it may be anybody's.
//!
//! Not found: what a step of a `host` job starts as a container by itself, and networks or volumes of a job whose own
//! container was removed before the runner was killed.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::asked;
use crate::backend::Host;
use crate::error::HostError;
use crate::records::MachineRecord;
use crate::user::User;

/// The label of a machine's containers: `DEPLOYMENT/MACHINE`.
pub(crate) const LABEL: &str = "forgescale.machine";

/// The program that is asked, in the PATH of the machines. It runs as the machine's user: a job may have had the power to
/// replace it, or to write what it reads.
const PROGRAM: &str = "docker";

/// How long one of its calls may take. Removing waits for the kill of a container: 10 s at the most, as a rule.
const DEADLINE: Duration = Duration::from_secs(20);

/// How much it may say.
const ANSWER_LIMIT: u64 = 256 << 10;

/// How much of a complaint is shown.
const SHOWN_CHARACTERS: usize = 300;

/// Whether a runner with these labels may make containers: those of the schema docker, which is also meant by a label
/// without one (protocol 4).
pub(crate) fn may_be_made(labels: &[String]) -> bool {
    labels.iter().any(|label| label.split(':').nth(1).is_none_or(|schema| schema == "docker"))
}

/// Removes what is left of a machine. To be called when no process of it is left.
pub(crate) async fn remove(host: &Host, record: &MachineRecord) -> Result<(), HostError> {
    let marker = &host.marker(&record.name);
    let user = record.user.as_ref();
    let filter = format!("label={LABEL}={marker}");
    let Some(listed) = call(host, user, &["ps", "-aq", "--no-trunc", "--filter", &filter]).await? else {
        return Ok(());
    };
    let mut containers = words(&listed);
    if containers.is_empty() {
        return Ok(());
    }
    let mounted = used_by(host, user, &containers).await?;
    let volumes = mounted.iter().filter(|name| is_volume(name)).cloned().collect::<BTreeSet<_>>();
    let networks = mounted.iter().filter(|name| is_network(name)).cloned().collect::<BTreeSet<_>>();
    for volume in &volumes {
        let filter = format!("volume={volume}");
        let sharing = call(host, user, &["ps", "-aq", "--no-trunc", "--filter", &filter]).await?;
        containers.extend(words(&sharing.unwrap_or_default()));
    }
    tracing::info!(machine = marker, containers = containers.len(), "removing containers that a runner left behind");
    for (command, names) in [
        (&["rm", "--force", "--volumes"][..], &containers),
        (&["network", "rm"][..], &networks),
        (&["volume", "rm", "--force"][..], &volumes),
    ] {
        if !names.is_empty() {
            let arguments: Vec<&str> = command.iter().copied().chain(names.iter().map(String::as_str)).collect();
            call(host, user, &arguments).await?;
        }
    }
    Ok(())
}

/// The names of the volumes and networks of containers.
async fn used_by(
    host: &Host,
    user: Option<&User>,
    containers: &BTreeSet<String>,
) -> Result<BTreeSet<String>, HostError> {
    let format = "{{range .Mounts}}{{.Name}} {{end}}{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    let arguments: Vec<&str> =
        ["inspect", "--format", format].into_iter().chain(containers.iter().map(String::as_str)).collect();
    Ok(words(&call(host, user, &arguments).await?.unwrap_or_default()))
}

fn words(text: &str) -> BTreeSet<String> {
    // What begins with a dash would be an option when it is handed back.
    text.split_whitespace().filter(|word| !word.starts_with('-')).map(str::to_owned).collect()
}

/// As the runner makes them up: 16 random bytes in hexadecimal, also with `-env`.
fn is_volume(name: &str) -> bool {
    let random = name.strip_suffix("-env").unwrap_or(name);
    random.len() == 32 && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `WORKFLOW-` and the same random name.
fn is_network(name: &str) -> bool {
    name.strip_prefix("WORKFLOW-").is_some_and(|random| is_volume(random) && !random.ends_with("-env"))
}

/// What the program says, `None` if there is none: then there is nobody to ask, and the operator is told once.
async fn call(host: &Host, user: Option<&User>, arguments: &[&str]) -> Result<Option<String>, HostError> {
    let failed = |reason: String| HostError::Containers { reason };
    let mut command = asked::command(Path::new(PROGRAM), user);
    command.args(arguments).envs(host.settings.environment.iter().cloned()).env("PATH", &host.settings.path);
    let mut child = match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            host.warn_without_docker();
            return Ok(None);
        }
        spawned => spawned.map_err(|error| failed(format!("could not run {PROGRAM}: {error}")))?,
    };
    let ended = tokio::time::timeout(DEADLINE, async {
        let said = asked::said(&mut child, ANSWER_LIMIT).await?;
        Ok::<_, io::Error>((child.wait().await?, said))
    });
    let (status, (out, err)) = match ended.await {
        Ok(ended) => ended.map_err(|error| failed(format!("could not wait for {PROGRAM}: {error}")))?,
        Err(_) => {
            return Err(failed(format!("{PROGRAM} {} did not end within {} s", arguments[0], DEADLINE.as_secs())));
        }
    };
    if !status.success() {
        let said: String = err.trim().chars().take(SHOWN_CHARACTERS).collect();
        return Err(failed(format!("{PROGRAM} {}: {said}", arguments[0])));
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::{is_network, is_volume, may_be_made};

    #[test]
    fn only_names_that_the_runner_makes_up_are_removed() {
        let random = "0123456789abcdef0123456789abcdef";
        assert!(is_volume(random) && is_volume(&format!("{random}-env")) && is_network(&format!("WORKFLOW-{random}")));
        for kept in ["data", "", "-env", &random[1..], &random.to_uppercase(), &format!("{random}-env-env")] {
            assert!(!is_volume(kept) && !is_network(&format!("WORKFLOW-{kept}")), "{kept}");
        }
        for kept in ["bridge", "host", random, &format!("WORKFLOW-{random}-env")] {
            assert!(!is_network(kept), "{kept}");
        }
    }

    #[test]
    fn containers_come_of_docker_labels() {
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        assert!(may_be_made(&labels(&["a:host", "b:docker://node:22"])));
        assert!(may_be_made(&labels(&["b"])));
        assert!(!may_be_made(&labels(&["a:host", "b:lxc://debian:bookworm"])));
    }
}
