//! One child process with its process group: started, listened to, killed when its time is over.
//!
//! ```text
//! started ─► ended by itself ─► its output is read to the end, or for a moment if something still holds it open
//!    └─ stopped or timed out ─► SIGKILL to the process group ─┘
//! ```
//!
//! Promise: the process group is only killed while its leader is not reaped, so its number cannot have been given to
//! another one. Deliberately absent: children that left the group (setsid), or that a step left behind in the
//! background. Ending those is for whoever started the runner, exactly as with the real one (protocol 3.6).

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::report::{MAX_LINE_BYTES, Report};
use crate::stop::{Halt, Stop};

/// How long output is awaited that a process left behind may still write. What comes later is logged when it comes.
const OUTPUT_GRACE: Duration = Duration::from_millis(200);

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exit(ExitStatus),
    /// It was killed because its time was over.
    TimedOut,
    /// It was killed because the job was stopped.
    Stopped(Stop),
}

/// Runs a command in a process group of its own, with its output in the report, line by line.
pub(crate) async fn run(
    mut command: Command,
    report: &Arc<Report>,
    time_limit: Duration,
    halt: &mut Halt,
) -> io::Result<Ended> {
    // One pipe for both streams keeps their lines in order.
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = command.spawn()?;
    // The command holds our copies of the writing end; with them the output would never end.
    drop(command);
    let output = pipe::Receiver::from_owned_fd(reader.into())?;
    let mut listener = tokio::spawn(listen(output, Arc::clone(report)));

    let ended = tokio::select! {
        biased;
        status = child.wait() => Ended::Exit(status?),
        stop = halt.wait() => {
            kill(&mut child).await?;
            Ended::Stopped(stop)
        }
        () = sleep(time_limit) => {
            kill(&mut child).await?;
            Ended::TimedOut
        }
    };
    // An error is the grace being over: the listener goes on beside the next steps.
    let _ = timeout(OUTPUT_GRACE, &mut listener).await;
    Ok(ended)
}

async fn kill(child: &mut Child) -> io::Result<()> {
    // No id: it has been reaped, so there is no group of ours to kill.
    if let Some(leader) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        kill_process_group(leader, Signal::KILL)?;
    }
    child.wait().await.map(|_| ())
}

/// Turns output into lines of the report, until its end.
async fn listen(mut output: pipe::Receiver, report: Arc<Report>) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        match output.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(count) => lines.take(&chunk[..count], |line, cut| report.output_line(line, cut)),
        }
    }
    lines.finish(|line, cut| report.output_line(line, cut));
}

/// Output that is not a whole line yet, bounded.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn take(&mut self, chunk: &[u8], mut emit: impl FnMut(&[u8], bool)) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = MAX_LINE_BYTES - self.line.len();
            self.cut |= text.len() > room;
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                emit(&self.line, self.cut);
                self.line.clear();
                self.cut = false;
            }
        }
    }

    fn finish(self, mut emit: impl FnMut(&[u8], bool)) {
        if !self.line.is_empty() {
            emit(&self.line, self.cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, MAX_LINE_BYTES};

    fn collect(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.take(chunk, |line, cut| found.push((line.to_vec(), cut)));
        }
        lines.finish(|line, cut| found.push((line.to_vec(), cut)));
        found
    }

    #[test]
    fn lines_are_put_together_from_chunks() {
        let found = collect(&[b"on", b"e\ntwo\n\nla", b"st"]);
        let expected: Vec<(Vec<u8>, bool)> =
            [&b"one"[..], b"two", b"", b"last"].into_iter().map(|line| (line.to_vec(), false)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_endless_line_takes_no_more_than_its_limit() {
        let chunk = vec![b'x'; MAX_LINE_BYTES];
        let found = collect(&[&chunk, &chunk, b"\nnext\n"]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0.len(), found[0].1), (MAX_LINE_BYTES, true));
        assert_eq!(found[1], (b"next".to_vec(), false));
    }
}
