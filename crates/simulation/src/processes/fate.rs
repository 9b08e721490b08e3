//! What will become of a runner process, drawn at its start.

use planner::ids::{BackendId, MachineName};

use crate::fault::Fault;
use crate::happening::Step;
use crate::world::World;

/// How long a runner lives on a broken image: it does not come to contact the forge.
const DEAD_AT_ONCE_MS: u64 = 20;

/// What will become of a process.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    pub(crate) mishap: Mishap,
    pub(crate) fetch_lost: bool,
    pub(crate) fails: bool,
    pub(crate) runs_ms: u64,
}

/// What goes wrong with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    Nothing,
    /// The process is killed in its middle.
    Dies,
    /// Its machine fails in its middle: nobody knows how the process ended.
    MachineFails,
    /// The process is dead in its middle, and its machine is listed as running.
    DiesSilently,
    /// The machine starts its runner anew in its middle.
    BootsTwice,
    /// It does not end by itself.
    Endless,
    /// The report of its end is lost.
    LosesEnd,
    /// Its process does not exit after it.
    Hangs,
}

impl World {
    /// Draws the fate of a process that starts for a job.
    pub(crate) fn draw_fate(&mut self, job: &str) -> Fate {
        let mishaps = [
            (Fault::DiesMidJob, Mishap::Dies),
            (Fault::HangsAfter, Mishap::Hangs),
            (Fault::Endless, Mishap::Endless),
            (Fault::LosesEnd, Mishap::LosesEnd),
            (Fault::DiesSilently, Mishap::DiesSilently),
            (Fault::BootsTwice, Mishap::BootsTwice),
            (Fault::MachineFails, Mishap::MachineFails),
        ];
        let mut mishap = Mishap::Nothing;
        for (fault, leads_to) in mishaps {
            if mishap == Mishap::Nothing && self.strikes(fault, job) {
                mishap = leads_to;
            }
        }
        let fetch_lost = self.strikes(Fault::FetchLost, job);
        let longest = self.workload.longest_job;
        let dice = &mut self.dice.processes;
        let (fails, drawn) = (dice.chance(200), dice.between(500, longest));
        let scripted = self.script.lasts(job);
        let fails = fails && scripted.is_none();
        Fate { mishap, fetch_lost, fails, runs_ms: scripted.unwrap_or(drawn) }
    }

    /// Enters the first steps of a process: it contacts the forge, late or never, or ends before.
    pub(crate) fn begin_process(&mut self, backend: &BackendId, name: &MachineName, id: u64, job: &str) {
        let pool = self.machine(backend, name).map(|machine| machine.tags.pool().clone());
        if pool.is_some_and(|pool| self.broken_images.get(&pool).is_some_and(|until| self.now < *until)) {
            return self.process_after(DEAD_AT_ONCE_MS, backend, name, id, Step::Die);
        }
        let never = self.strikes(Fault::NeverContacts, job);
        let late = self.strikes(Fault::ContactsLate, job);
        let contact = if late {
            self.dice.fault(Fault::ContactsLate).between(25_000, 90_000)
        } else if self.script.is_quick() {
            50
        } else {
            self.dice.processes.between(50, 4_000)
        };
        if !never {
            self.process_after(contact, backend, name, id, Step::Declare);
        }
        if self.strikes(Fault::DiesEarly, job) {
            let death = self.dice.fault(Fault::DiesEarly).between(1, 4_000);
            self.process_after(death, backend, name, id, Step::Die);
        }
        if self.strikes(Fault::OddExit, job) {
            let dice = self.dice.fault(Fault::OddExit);
            let (span, code) = (dice.between(1, 6_000), i32::try_from(dice.between(0, 255)).unwrap_or(1));
            self.process_after(span, backend, name, id, Step::Exit { code });
        }
    }
}
