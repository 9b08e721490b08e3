//! Lives of the daemon: how one ends, and what the next one finds.

use std::collections::BTreeMap;
use std::rc::Rc;

use planner::event::Event;
use planner::ids::{JobKey, RunnerUuid};
use planner::state::{HandleMemory, State};
use planner::time::Tick;

use crate::fault::Fault;
use crate::happening::Happening;
use crate::judge::Excuse;
use crate::world::{World, note};

/// How old an old memory is at the least.
const OLD_MEMORY_MS: u64 = 20_000;

impl World {
    /// The daemon is killed, and begins again: soon, or at once where another has waited for the lock.
    pub(crate) fn kill_daemon(&mut self, span: Option<u64>) {
        if self.is_quiet() || !self.daemon.alive {
            return;
        }
        self.daemon.alive = false;
        self.note_fault(Fault::Killed, "at any moment");
        let drawn = self.dice.lives.between(100, 8_000);
        let followed = self.strikes(Fault::Follower, "takes over at once");
        let span = if followed { 1 } else { span.unwrap_or(drawn) };
        self.after(span, Happening::Born);
    }

    /// A second daemon wants to begin: the lock lets it only where the first has died.
    pub(crate) fn second_daemon(&mut self) {
        self.note_fault(Fault::SecondDaemon, "wants the lock");
        let life = self.daemon.life;
        if !self.daemon.alive && life > 0 {
            self.daemon_is_born();
        }
    }

    /// Daemon, or daemon and machines, stand still; the world goes on.
    pub(crate) fn pause(&mut self, fault: Fault, span: Option<u64>) {
        // Who stands still cannot be stopped once more.
        if fault == Fault::HostPaused && self.now < self.host_pause.1 {
            return;
        }
        let dice = self.dice.fault(fault);
        // One in ten is long; half are just longer than a boot clock, so that all else is as it was before.
        let drawn = match dice.between(0, 9) {
            0 => dice.between(600_000, 3_600_000),
            1..=5 => dice.between(60_000, 90_000),
            _ => dice.between(2_000, 300_000),
        };
        let until = self.now + span.unwrap_or(drawn);
        self.note_fault(fault, &format!("{} ms", until - self.now));
        if fault == Fault::Paused {
            self.daemon.paused_until = self.daemon.paused_until.max(until);
        } else {
            self.host_pause = (self.now, until);
            // What runs cannot report: the forge takes it for a zombie.
            for id in self.forges.keys().cloned().collect::<Vec<_>>() {
                for handle in self.running_on(&id) {
                    self.judge.excuse(&handle, Excuse::Paused);
                }
            }
        }
        self.judge.pauses(self.now, until);
        self.not_quiet_before = self.not_quiet_before.max(until + 10_000);
    }

    /// The daemon is told to end, and lets jobs end first.
    pub(crate) fn drain(&mut self, span: Option<u64>) {
        if !self.daemon.alive || self.policy.draining {
            return;
        }
        self.note_fault(Fault::Drained, "told to end");
        Rc::make_mut(&mut self.policy).draining = true;
        let drawn = self.dice.fault(Fault::Drained).between(1_000, 60_000);
        let life = self.daemon.life;
        self.after(span.unwrap_or(drawn), Happening::Stopped { life });
    }

    pub(crate) fn daemon_stops(&mut self, life: u32) {
        if self.is_this_life(life) {
            self.daemon.alive = false;
            note!(self, "the daemon has ended");
            self.after(1_000, Happening::Born);
        }
    }

    pub(crate) fn daemon_is_born(&mut self) {
        if self.daemon.alive {
            return;
        }
        let memory = self.remembered();
        let credentials = self.kept_credentials();
        self.judge_birth();
        self.daemon.life += 1;
        self.judge.life_begins();
        self.daemon.alive = true;
        self.daemon.born_at = self.now;
        self.daemon.state = State::default();
        self.daemon.state.journal.life = u64::from(self.daemon.life);
        self.daemon.state.journal.handles = memory;
        self.daemon.runners_asked.clear();
        if self.policy.draining {
            Rc::make_mut(&mut self.policy).draining = false;
        }
        // A token that changes while a daemon lives is judged at the edge; a new life takes what it finds.
        for forge in self.forges.values_mut() {
            forge.swapped.clone_from(&forge.strange_tokens);
        }
        let life = self.daemon.life;
        note!(self, "life {life} begins with {} credentials", credentials.len());
        for uuid in credentials.keys() {
            self.after(0, Happening::Deliver { life, event: Event::CredentialsFound { runner: uuid.clone() } });
        }
        self.daemon.credentials = credentials;
        self.forget_promises();
        self.tell_hours();
        for scope in self.scopes() {
            let span = self.dice.lives.between(0, 500);
            self.after(span, Happening::PollScope { life, scope, again: true });
        }
        for backend in self.policy.backends.keys().cloned().collect::<Vec<_>>() {
            let span = self.dice.lives.between(0, 500);
            self.after(span, Happening::PollBackend { life, backend });
        }
        self.after(1_000, Happening::Wake { life });
    }

    /// What the store gives back: moments are counted from the new beginning, by a time of day that may have jumped.
    fn remembered(&mut self) -> BTreeMap<JobKey, HandleMemory> {
        let newest = std::mem::take(&mut self.daemon.state.journal.handles);
        let was_born = self.daemon.life > 0;
        let saved_at = self.now - self.daemon.born_at;
        let (old_at, old) = self.daemon.old_memory.clone();
        if was_born && self.now > old_at + OLD_MEMORY_MS {
            self.daemon.old_memory = (self.now, newest.clone());
        }
        if was_born && self.strikes(Fault::MemoryLost, "all of it") {
            return BTreeMap::new();
        }
        let rolled_back = was_born && self.strikes(Fault::MemoryOld, "rolled back");
        let handles = if rolled_back { old } else { newest };
        let mut passed = saved_at;
        if was_born && self.strikes(Fault::ClockJumps, "the time of day") {
            let ahead = self.dice.fault(Fault::ClockJumps).chance(500);
            // A time of day that went backwards lengthens no rest.
            passed = if ahead { passed + 3_600_000 } else { passed };
        }
        let rebased = |tick: Tick| Tick(tick.0.saturating_sub(passed));
        handles
            .into_iter()
            .map(|(job, memory)| {
                let rest_until = rebased(memory.rest_until);
                (job, HandleMemory { rest_until, not_before: Tick(0), listed_at: Tick(0), ..memory })
            })
            .collect()
    }

    fn kept_credentials(&mut self) -> BTreeMap<RunnerUuid, String> {
        let credentials = std::mem::take(&mut self.daemon.credentials);
        if self.strikes(Fault::CredentialsLost, "all of them") { BTreeMap::new() } else { credentials }
    }
}
