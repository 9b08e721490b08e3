//! Ending everything that is left of a machine.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitStatus, getpid};

use super::log::Output;
use super::signals::Signals;
use super::wait;
use crate::control_group::ControlGroup;
use crate::process::{self, Process};

/// How long strays may take after SIGTERM: enough for a service to flush, too short to hold the machine's place.
const STRAY_GRACE: Duration = Duration::from_secs(2);

/// Between two rounds of killing: a killed process is gone within this, as a rule, and its end wakes us anyway.
const ROUND: Duration = Duration::from_millis(20);

/// Rounds of killing before it slows down: after these (5 s) only processes that are stuck in the kernel are left.
const QUICK_ROUNDS: u32 = 250;

/// Between two rounds from then on.
const SLOW_ROUND: Duration = Duration::from_secs(1);

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// SIGTERM first, SIGKILL after a moment.
    Gentle,
    /// SIGKILL.
    AtOnce,
}

/// What was there to sweep.
pub(super) struct Swept {
    /// How the runner ended, if it was still there.
    pub(super) runner: Option<WaitStatus>,
    /// How many other processes were ended.
    pub(super) strays: usize,
}

/// Ends every descendant and whatever else is in the control group; returns when nothing is left.
///
/// Giving up would be a lie (see the module of the supervisor), so it never does, but it slows down.
pub(super) fn all(
    runner: Pid,
    group: Option<&ControlGroup>,
    pace: Pace,
    signals: &mut Signals,
    output: &mut Output,
) -> io::Result<Swept> {
    let mut swept = Swept { runner: None, strays: 0 };
    let mut asked = BTreeSet::new();
    let mut killed = BTreeSet::new();
    let mut kill_from = match pace {
        Pace::Gentle => Instant::now() + STRAY_GRACE,
        Pace::AtOnce => Instant::now(),
    };
    let mut rounds = 0;
    loop {
        let reaped = wait::reap(runner)?;
        swept.runner = swept.runner.or(reaped.runner);
        if !reaped.children_left && !group.map_or(Ok(false), ControlGroup::is_populated)? {
            let runner_id = runner.as_raw_nonzero().get();
            swept.strays = asked.union(&killed).filter(|process: &&Process| process.id != runner_id).count();
            return Ok(swept);
        }
        let now = Instant::now();
        let left = process::descendants(getpid().as_raw_nonzero().get())?;
        let pause = if now < kill_from {
            for process in left {
                if asked.insert(process) {
                    send(process, Signal::TERM);
                    // One that was stopped would not see it before the kill.
                    send(process, Signal::CONT);
                }
            }
            kill_from - now
        } else {
            rounds += 1;
            if let Some(Err(error)) = group.map(ControlGroup::kill) {
                let _ = writeln!(io::stderr(), "supervisor: could not kill by control group: {error}");
            }
            for process in left {
                send(process, Signal::KILL);
                killed.insert(process);
            }
            if rounds < QUICK_ROUNDS { ROUND } else { SLOW_ROUND }
        };
        let [stops, children] = signals.sources();
        let sources: Vec<_> = [stops, children].into_iter().chain(output.source()).collect();
        wait::readable(&sources, Some(pause.min(SLOW_ROUND)))?;
        output.turn();
        if signals.take_stops() > 0 {
            kill_from = Instant::now();
        }
    }
}

/// A process that we may not signal (it took another user's rights) is waited for like one that does not end.
fn send(process: Process, signal: Signal) {
    if let Err(error) = process.signal(signal) {
        let _ = writeln!(io::stderr(), "supervisor: could not signal process {}: {error}", process.id);
    }
}
