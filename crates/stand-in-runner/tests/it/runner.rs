//! Starts the runner as a process in an empty directory, with quick reports and tries.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::forge::Forge;

pub(crate) const UUID: &str = "d4637a60-7fea-4075-a81c-7e4ae01bdf0d";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// A runner that was started. Killed if the test ends before it.
pub(crate) struct Runner {
    child: Child,
    pub(crate) directory: TempDir,
}

/// How a runner ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) errors: String,
}

/// A runner with good flags and the given ones.
pub(crate) fn start(forge: &Forge, flags: &[&str]) -> Runner {
    start_with(&forge.url, UUID, TOKEN, flags)
}

/// A runner that is given its token through standard input.
pub(crate) fn start_with(url: &str, uuid: &str, token: &str, flags: &[&str]) -> Runner {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(program())
        .args(["--url", url, "--uuid", uuid, "--token-url", "file:/dev/stdin", "--label", "lab:host"])
        .args(["--report-interval-ms", "20", "--first-pause-ms", "1"])
        .args(flags)
        .current_dir(directory.path())
        .env("OF_THE_RUNNER", "inherited")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A runner that refuses its flags never reads the token.
    let _ = child.stdin.take().unwrap().write_all(token.as_bytes());
    Runner { child, directory }
}

/// The example `one-job`, which cargo builds along with all tests of the crate, beside their own directory. A run of
/// some tests only may leave an old one there.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("examples/one-job");
    let changed = |path: PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let newest = sources.filter_map(|source| changed(source.unwrap().path())).max();
    assert!(
        changed(program.clone()) >= newest,
        "{} is missing or old: run `cargo build -p stand-in-runner --examples`",
        program.display()
    );
    program
}

impl Runner {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Where the steps run.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.directory.path().join("one-job-57/workspace")
    }

    /// Waits for the end, within a deadline.
    pub(crate) fn end(mut self) -> End {
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("the runner does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let left: Vec<_> = std::fs::read_dir(self.directory.path()).unwrap().collect();
        assert!(left.is_empty() || status.code() != Some(0), "left behind: {left:?}");
        assert!(!errors.contains(TOKEN), "{errors}");
        End { code: status.code(), signal: status.signal(), errors }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process is there.
pub(crate) fn lives(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

/// Whether a file holds a whole line, and what number is in it.
pub(crate) fn number_in(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
}
