//! A container engine, an image made on the spot, and what `docker run` takes on it by itself.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::stage::wait_until;

/// Names the engine.
pub(crate) const ENGINE: &str = "FORGESCALE_BENCH_DOCKER";

/// Where one usually is.
const USUAL: &str = "unix:///var/run/docker.sock";

/// The image, made from a static busybox and the libraries of the runner, if that needs some.
pub(crate) const IMAGE: &str = "forgescale-bench:latest";

/// A filter for containers that are machines: others of ours never run.
const MACHINES: &str = "label=forgescale.role=machine";

/// What jobs and runners need.
const APPLETS: [&str; 6] = ["sh", "sleep", "true", "echo", "env", "cat"];

/// An engine on this machine.
pub(crate) struct Engine {
    /// `unix:///…`.
    pub(crate) address: String,
    /// Where containers reach this host.
    pub(crate) gateway: String,
}

impl Engine {
    /// The engine, with an image in which a program of this host runs.
    pub(crate) async fn with_image(runner: &Path) -> anyhow::Result<Self> {
        let address = std::env::var(ENGINE).unwrap_or_else(|_| USUAL.to_owned());
        let unknown = Self { address, gateway: String::new() };
        let format = "{{with index .IPAM.Config 0}}{{or .Gateway .Subnet}}{{end}}";
        let told = unknown.said(&["network", "inspect", "bridge", "--format", format]).await?;
        let gateway = gateway(told.trim()).with_context(|| format!("the engine's bridge has no gateway: {told}"))?;
        let engine = Self { gateway, ..unknown };
        let root = root(runner).await?;
        let tar = Command::new("tar").arg("-C").arg(root.path()).args(["-c", "."]).output().await?;
        if !tar.status.success() {
            bail!("no archive could be made of the image's root");
        }
        let archive = root.path().join("root.tar");
        fs::write(&archive, tar.stdout)?;
        engine.said(&["import", &archive.display().to_string(), IMAGE]).await?;
        Ok(engine)
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.address]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// What the engine's own client says.
    async fn said(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.docker(arguments).output().await.context("cannot run docker, the engine's own client")?;
        if !output.status.success() {
            bail!("docker {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// How long so many `docker run` take at once, with the image and a program that ends at once: until the last has ended.
    pub(crate) async fn run(&self, at_once: usize) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut children = Vec::new();
        for _ in 0..at_once {
            let mut command = self.docker(&["run", "--rm", IMAGE, "/bin/true"]);
            children.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        for child in &mut children {
            if !child.wait().await?.success() {
                bail!("`docker run` has failed");
            }
        }
        Ok(begun.elapsed())
    }

    /// Begins to listen to what happens to the machines of a deployment. (Of the past an engine tells its last 256 events.)
    pub(crate) fn listen(&self, deployment: &str) -> anyhow::Result<Listening> {
        let of_ours = format!("label=forgescale.deployment={deployment}");
        let format = "{{.Action}} {{.Actor.ID}} {{.TimeNano}} {{index .Actor.Attributes \"forgescale.tags\"}}";
        let arguments = ["events", "--filter", "type=container", "--filter", &of_ours];
        let mut command = self.docker(&[&arguments[..], &["--filter", MACHINES, "--format", format]].concat());
        let told = tempfile::NamedTempFile::new()?;
        let telling = command.stdout(told.reopen()?).stderr(Stdio::null()).spawn()?;
        Ok(Listening { told, _telling: telling })
    }

    /// How many containers of a deployment there are.
    pub(crate) async fn containers(&self, deployment: &str) -> anyhow::Result<usize> {
        let filter = format!("label=forgescale.deployment={deployment}");
        Ok(self.said(&["ps", "--all", "--quiet", "--filter", &filter]).await?.lines().count())
    }
}

/// Listens to an engine.
pub(crate) struct Listening {
    told: tempfile::NamedTempFile,
    /// Killed when it is dropped.
    _telling: Child,
}

impl Listening {
    /// All that happened, once every machine that was made is gone again.
    pub(crate) async fn until_all_are_gone(self) -> anyhow::Result<Vec<EngineEvent>> {
        let mut events = Vec::new();
        let all_gone = || {
            let text = fs::read_to_string(self.told.path()).unwrap_or_default();
            events = text.lines().filter_map(EngineEvent::read).collect();
            let count = |action: &str| events.iter().filter(|event| event.action == action).count();
            count("create") > 0 && count("create") == count("destroy")
        };
        wait_until("the engine to tell of each machine's end", all_gone).await?;
        Ok(events)
    }
}

/// Something that happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineEvent {
    /// `create`, `start`, `die`, `destroy` and others.
    pub(crate) action: String,
    /// Which.
    pub(crate) container: String,
    /// Since 1970.
    pub(crate) at: Duration,
    /// What was written on it when it was made: its job's handle among others, if it was made for one.
    pub(crate) tags: String,
}

impl EngineEvent {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().map(str::to_owned);
        let (action, container, nanos, tags) = (word()?, word()?, word()?, word()?);
        Some(Self { action, container, at: Duration::from_nanos(nanos.parse().ok()?), tags })
    }
}

/// The gateway that an engine tells; or the first address of its subnet, where it has just made that and tells no other.
fn gateway(told: &str) -> Option<String> {
    let Some((network, _)) = told.split_once('/') else { return told.parse::<IpAddr>().ok().map(|at| at.to_string()) };
    let first = u32::from(network.parse::<Ipv4Addr>().ok()?).checked_add(1)?;
    Some(Ipv4Addr::from(first).to_string())
}

/// The root of the image.
async fn root(runner: &Path) -> anyhow::Result<tempfile::TempDir> {
    let root = tempfile::Builder::new().prefix("forgescale-bench-").tempdir()?;
    for folder in ["bin", "tmp", "etc"] {
        fs::create_dir(root.path().join(folder))?;
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|path| path.is_file());
    let busybox = busybox.context("there is no busybox to make an image from: install busybox-static")?;
    if !libraries(busybox).await?.is_empty() {
        bail!("{} is not static: install busybox-static", busybox.display());
    }
    fs::copy(busybox, root.path().join("bin/busybox"))?;
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet))?;
    }
    for library in libraries(runner).await? {
        let place = root.path().join(library.strip_prefix("/")?);
        fs::create_dir_all(place.parent().context("a library without a folder")?)?;
        fs::copy(&library, place)?;
    }
    Ok(root)
}

/// What a program needs that is not in its own file.
async fn libraries(program: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let told = Command::new("ldd").arg(program).output().await.context("cannot run ldd")?;
    // It fails for a program that needs nothing.
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    Ok(text.lines().filter_map(library).map(PathBuf::from).collect())
}

/// `libc.so.6 => /lib/libc.so.6 (0x…)`, or the loader, which stands alone.
fn library(line: &str) -> Option<&str> {
    let line = line.split_once(" => ").map_or(line, |(_, place)| place).trim();
    line.split(' ').next().filter(|place| place.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_needs_is_read() {
        let lines = [
            "\tlinux-vdso.so.1 (0x1)",
            "\tlibc.so.6 => /lib/x/libc.so.6 (0x2)",
            "\t/lib64/ld.so.2 (0x3)",
            "\tstatically linked",
        ];
        assert_eq!(lines.map(library), [None, Some("/lib/x/libc.so.6"), Some("/lib64/ld.so.2"), None]);
    }

    #[test]
    fn a_gateway_is_read_or_is_the_first_address() {
        let read = ["172.17.0.1", "172.18.0.0/16", "", "x/16"].map(gateway);
        assert_eq!(read, [Some("172.17.0.1".to_owned()), Some("172.18.0.1".to_owned()), None, None]);
    }

    #[test]
    fn what_an_engine_tells_is_read() {
        let event = EngineEvent::read("die 0a1b 1700000000123456789 {\"handle\":\"h 1\"}").unwrap();
        assert_eq!((event.action.as_str(), event.container.as_str()), ("die", "0a1b"));
        assert_eq!(event.at, Duration::from_nanos(1_700_000_000_123_456_789));
        assert_eq!(EngineEvent::read("exec_create: sh 0a1b 17"), None);
    }
}
