//! The counters, from the forge's books and the process table.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use emulator::Emulator;
use forge_model::{Books, Moment, RegistrationEnd, RegistrationRecord};
use serde_json::{Value, json};

/// What was done and what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counters {
    /// Attempts of jobs.
    jobs: usize,
    /// Attempts that a runner took and that have ended.
    completed: usize,
    /// Registrations ever made.
    registered: usize,
    /// Registrations whose runner contacted the forge.
    launched: usize,
    /// Runners that were taken back before they were given a job.
    released: usize,
    /// Registrations that are left.
    pub(super) leaked_runners: usize,
    /// Machines of which a process or a folder is left.
    pub(super) leaked_machines: usize,
    /// Jobs for which two runners could have been given the job at once, and jobs that were handed out twice.
    pub(super) double_launches: usize,
    /// Requests to the forge, the runners' own included.
    forgejo_calls: u64,
}

impl Counters {
    pub(super) fn read(emulator: &Emulator, leaked_machines: usize) -> Self {
        let forgejo_calls = emulator.calls().total();
        emulator.with_forge(|forge, now| {
            let books = forge.books();
            let registrations = books.registrations();
            Self {
                jobs: books.attempts().len(),
                completed: books
                    .attempts()
                    .iter()
                    .filter(|attempt| attempt.started_at.is_some() && attempt.ended_at.is_some())
                    .count(),
                registered: registrations.len(),
                launched: registrations.iter().filter(|registration| registration.contacted.is_some()).count(),
                released: registrations.iter().filter(|registration| was_released(books, registration)).count(),
                leaked_runners: forge.runners_now().len(),
                leaked_machines,
                double_launches: double_launches(registrations, now) + forge.double_handouts(),
                forgejo_calls,
            }
        })
    }

    /// As lines for people.
    pub(super) fn print(&self, out: &mut impl Write, took: Duration) -> io::Result<()> {
        let line: Vec<String> = self.pairs().iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(out, "{} ({:.1} s)", line.join(", "), took.as_secs_f64())
    }

    /// As one JSON object.
    pub(super) fn print_json(&self, out: &mut impl Write, complaints: &[String], took: Duration) -> io::Result<()> {
        let mut object: serde_json::Map<String, Value> =
            self.pairs().iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        object.insert("ok".to_owned(), json!(complaints.is_empty()));
        object.insert("complaints".to_owned(), json!(complaints));
        object.insert("seconds".to_owned(), json!(took.as_secs()));
        writeln!(out, "{}", Value::Object(object))
    }

    fn pairs(&self) -> [(&'static str, u64); 9] {
        let count = |number: usize| number as u64;
        [
            ("jobs", count(self.jobs)),
            ("completed", count(self.completed)),
            ("registered", count(self.registered)),
            ("launched", count(self.launched)),
            ("released", count(self.released)),
            ("leaked_runners", count(self.leaked_runners)),
            ("leaked_machines", count(self.leaked_machines)),
            ("double_launches", count(self.double_launches)),
            ("forgejo_calls", self.forgejo_calls),
        ]
    }
}

/// A runner that contacted the forge, was deleted by us and never given a job.
fn was_released(books: &Books, registration: &RegistrationRecord) -> bool {
    registration.contacted.is_some()
        && matches!(registration.end, RegistrationEnd::Deleted(_))
        && !books.hand_outs().iter().any(|hand_out| hand_out.runner == registration.id)
}

/// Handles with two registrations whose runners were both in contact at one time.
fn double_launches(registrations: &[RegistrationRecord], now: Moment) -> usize {
    let mut last_end: BTreeMap<&str, Moment> = BTreeMap::new();
    let mut doubles = 0;
    let mut in_contact: Vec<(Moment, Moment, &str)> = registrations
        .iter()
        .filter_map(|registration| {
            let handle = registration.description.split(' ').find_map(|word| word.strip_prefix("handle="))?;
            let end = match registration.end {
                RegistrationEnd::StillThere => now,
                RegistrationEnd::Deleted(at) | RegistrationEnd::UsedUp(at) | RegistrationEnd::Swept(at) => at,
            };
            Some((registration.contacted?, end, handle))
        })
        .collect();
    in_contact.sort();
    for (begin, end, handle) in in_contact {
        let last = last_end.entry(handle).or_insert(Moment::from_millis(0));
        doubles += usize::from(begin < *last);
        *last = end.max(*last);
    }
    doubles
}
