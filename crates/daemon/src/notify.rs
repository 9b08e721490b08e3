//! What the service manager is told: ready, alive, stopping, and one line about what goes on.
//!
//! ```text
//! owner's turn ─► due? ─► READY=1 (once)  WATCHDOG=1 (thrice per limit)  STATUS=… (when it changed)
//!                             └► one datagram to $NOTIFY_SOCKET, never waited for
//! ```
//!
//! Promises: the owner task alone calls this, so a sign of life is one of the task that plans; sending never waits, since a
//! service manager that hangs must hold up no job. Without `$NOTIFY_SOCKET` nothing is sent.
//!
//! Deliberately absent: a task of its own (it would go on when the owner hangs), and a library. The protocol (`sd_notify(3)`)
//! is lines in a datagram; the libraries looked at wait while the receiver's queue is full.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use planner::report::{Report, counted};
use planner::seen::JobState;

/// Signs of life per limit: systemd advises two; one more may be lost without harm.
const SIGNS_PER_LIMIT: u32 = 3;

/// At most this often the line about what goes on changes.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// The owner's wire to the service manager, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often a sign of life is due, if any is wanted.
    sign_every: Option<Duration>,
    signed: Option<Instant>,
    ready: bool,
    status: String,
    status_at: Option<Instant>,
}

impl Notifier {
    /// What the environment of this process asks for. A socket that cannot be used is logged and done without.
    pub(crate) fn of_process() -> Self {
        let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let ours = std::env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid == std::process::id().to_string());
        let limit = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok()).filter(|_| ours);
        Self::new(&PathBuf::from(place), limit.map(Duration::from_micros)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager cannot be told anything: $NOTIFY_SOCKET is of no use");
            Self::default()
        })
    }

    /// Tells those who listen at `place`; `limit` is how long they wait for a sign of life.
    fn new(place: &Path, limit: Option<Duration>) -> io::Result<Self> {
        let address = match place.as_os_str().as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(place)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let sign_every = limit.map(|limit| limit / SIGNS_PER_LIMIT);
        Ok(Self { socket: Some((socket, address)), sign_every, ..Self::default() })
    }

    /// Tells what is due after a turn. `seen` says whether every scope and every backend has answered, or failed to: from
    /// then on the daemon is ready.
    pub(crate) fn turn(&mut self, report: &Report, seen: bool, draining: bool, now: Instant) {
        if self.socket.is_none() {
            return;
        }
        let mut lines = Vec::new();
        let is_ready = !self.ready && seen;
        if is_ready {
            lines.push("READY=1".to_owned());
        }
        let is_sign_due = self.sign_every.is_some_and(|every| is_over(self.signed, every, now));
        if is_sign_due {
            lines.push("WATCHDOG=1".to_owned());
        }
        let status = if is_over(self.status_at, STATUS_EVERY, now) { status(report, draining) } else { String::new() };
        let is_news = !status.is_empty() && status != self.status;
        if is_news {
            lines.push(format!("STATUS={status}"));
        }
        if lines.is_empty() || !self.send(&lines) {
            return;
        }
        self.ready |= is_ready;
        if is_sign_due {
            self.signed = Some(now);
        }
        if is_news {
            self.status = status;
            self.status_at = Some(now);
        }
    }

    /// Tells that the configuration was read again and is used. The time in between is over.
    pub(crate) fn reloaded(&self) {
        for line in ["RELOADING=1", "READY=1"] {
            self.send(&[line.to_owned()]);
        }
    }

    /// How often a sign of life is due, if any is wanted.
    pub(crate) fn sign_every(&self) -> Option<Duration> {
        self.sign_every
    }

    /// Tells that another daemon has the work, and that this one lives. A follower is ready: there is nothing to wait for.
    pub(crate) fn waiting(&mut self, process: &str) {
        let mut lines = vec!["WATCHDOG=1".to_owned()];
        if !self.ready {
            lines.push("READY=1".to_owned());
            lines.push(format!("STATUS=waiting for the daemon with process id {process} to end"));
        }
        self.ready |= self.send(&lines);
    }

    /// Tells that the end has begun.
    pub(crate) fn stopping(&self) {
        self.send(&["STOPPING=1".to_owned(), "STATUS=stopping; running jobs go on".to_owned()]);
    }

    /// Whether the lines were taken. What was not is said again at the next turn.
    fn send(&self, lines: &[String]) -> bool {
        let Some((socket, address)) = &self.socket else { return false };
        match socket.send_to_addr(lines.join("\n").as_bytes(), address) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the service manager did not take a message");
                false
            }
        }
    }
}

fn is_over(last: Option<Instant>, span: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= span)
}

/// One line for `systemctl status`.
fn status(report: &Report, draining: bool) -> String {
    let running = report.jobs.iter().filter(|job| matches!(job.state, JobState::Running { .. })).count();
    let waiting = report.jobs.iter().filter(|job| job.state == JobState::Waiting).count();
    let mut parts = vec![
        format!("{} running", counted(running, "job")),
        format!("{waiting} waiting"),
        counted(report.machines.len(), "machine"),
    ];
    if !report.alerts.is_empty() {
        parts.push(format!("{} (forgescale explain)", counted(report.alerts.len(), "alert")));
    }
    let line = parts.join(", ");
    if draining { format!("draining: {line}") } else { line }
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use planner::report::Report;
    use tempfile::TempDir;

    use super::Notifier;

    /// A service manager that wants a sign of life within 30 s.
    struct Listener {
        socket: UnixDatagram,
        notifier: Notifier,
        _place: TempDir,
    }

    impl Listener {
        fn new() -> Self {
            let place = TempDir::new().unwrap();
            let path = place.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            let notifier = Notifier::new(&path, Some(Duration::from_secs(30))).unwrap();
            Self { socket, notifier, _place: place }
        }

        /// The lines of the next message; none when there is no message.
        fn heard(&self) -> Vec<String> {
            let mut bytes = [0; 512];
            let Ok(count) = self.socket.recv(&mut bytes) else { return Vec::new() };
            String::from_utf8_lossy(&bytes[..count]).lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn it_is_ready_once_and_only_when_everything_was_seen() {
        let mut listener = Listener::new();
        let start = Instant::now();
        listener.notifier.turn(&Report::default(), false, false, start);
        assert_eq!(listener.heard(), ["WATCHDOG=1", "STATUS=0 jobs running, 0 waiting, 0 machines"]);
        listener.notifier.turn(&Report::default(), true, false, start);
        assert_eq!(listener.heard(), ["READY=1"]);
        listener.notifier.turn(&Report::default(), true, false, start);
        assert!(listener.heard().is_empty());
    }

    #[test]
    fn a_sign_of_life_comes_three_times_within_the_limit() {
        let mut listener = Listener::new();
        let start = Instant::now();
        let mut signs = 0;
        for second in 0..30 {
            listener.notifier.turn(&Report::default(), true, false, start + Duration::from_secs(second));
            signs += listener.heard().iter().filter(|line| *line == "WATCHDOG=1").count();
        }
        assert_eq!(signs, 3);
    }

    #[test]
    fn the_status_says_that_it_drains_and_the_end_is_announced() {
        let mut listener = Listener::new();
        listener.notifier.turn(&Report::default(), true, true, Instant::now());
        assert!(listener.heard().contains(&"STATUS=draining: 0 jobs running, 0 waiting, 0 machines".to_owned()));
        listener.notifier.stopping();
        assert_eq!(listener.heard()[0], "STOPPING=1");
    }

    #[test]
    fn a_full_queue_holds_up_nothing_and_the_message_comes_later() {
        let mut listener = Listener::new();
        while listener.notifier.send(&["X=1".to_owned()]) {}
        listener.notifier.turn(&Report::default(), true, false, Instant::now());
        while listener.heard() == ["X=1"] {}
        listener.notifier.turn(&Report::default(), true, false, Instant::now());
        assert!(listener.heard().contains(&"READY=1".to_owned()));
    }

    #[test]
    fn an_abstract_socket_will_do_and_none_means_silence() {
        let name = format!("forgescale-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let mut notifier = Notifier::new(&PathBuf::from(format!("@{name}")), None).unwrap();
        notifier.turn(&Report::default(), true, false, Instant::now());
        let mut bytes = [0; 64];
        let count = socket.recv(&mut bytes).unwrap();
        assert!(bytes[..count].starts_with(b"READY=1\nSTATUS="));
        Notifier::default().turn(&Report::default(), true, false, Instant::now());
    }
}
