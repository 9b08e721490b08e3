//! The end of every test: how its jobs ended, and that nothing is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use forge_model::{Moment, RegistrationEnd, RegistrationRecord, Status};

use super::processes;
use super::world::{Pushed, World, wait};

/// What is there that is not to be touched.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// Names of registrations.
    pub(crate) runners: Vec<String>,
    /// Names of machines' folders.
    pub(crate) machines: Vec<String>,
}

impl World {
    /// Checks that every job ended well, on the one runner that it was given to.
    #[track_caller]
    pub(crate) fn check_success(&self, jobs: &[Pushed]) {
        for job in jobs {
            let attempt = self.attempt(job);
            assert_eq!((attempt.status, attempt.hand_outs), (Status::Success, 1), "{attempt:?}");
        }
    }

    /// Checks that nothing is left in the end, and ends the daemon.
    #[track_caller]
    pub(crate) fn check_nothing_left(&mut self) {
        self.check_left_alone(&Others::default());
    }

    /// Checks that nothing is left but what belongs to others, and ends the daemon.
    #[track_caller]
    pub(crate) fn check_left_alone(&mut self, others: &Others) {
        let mut left = Vec::new();
        let clean = wait(|| {
            left = self.left(others);
            left.is_empty()
        });
        assert!(clean, "something is left: {left:#?}");
        assert_eq!(self.terminate(), Some(0), "the daemon's exit status");
        assert_eq!(self.left(others), Vec::<String>::new(), "left by the daemon's end");
        let on_engine = self.engine.iter().flat_map(|engine| engine.things(&self.deployment)).collect::<Vec<_>>();
        assert_eq!(on_engine, Vec::<String>::new(), "left on the engine by the daemon's end");
        assert!(!self.state().join("control.sock").exists(), "a socket on which nobody listens");
        assert!(!self.credentials().exists(), "an empty folder of credentials");
        self.check_books();
        assert!(!self.logged("\"level\":\"ERROR\""), "the daemon complains");
        check_is_for_people(&fs::read_to_string(self.log()).unwrap_or_default());
    }

    /// No job was handed out twice, and no job had two runners at once.
    #[track_caller]
    fn check_books(&self) {
        self.emulator.with_forge(|forge, now| {
            assert_eq!(forge.double_handouts(), 0, "jobs that were handed out twice");
            assert_eq!(two_at_once(forge.books().registrations(), now), Vec::<&str>::new(), "jobs with two runners");
        });
    }

    fn left(&self, others: &Others) -> Vec<String> {
        let mut left = self.emulator.with_forge(|forge, _| {
            let there = forge.books().registrations().iter().filter(|row| row.end == RegistrationEnd::StillThere);
            let ours = there.filter(|row| !others.runners.contains(&row.name));
            ours.map(|row| format!("registration {} ({})", row.name, row.description)).collect::<Vec<_>>()
        });
        let running = processes::of_deployment(&self.deployment);
        left.extend(running.iter().map(|process| format!("process {}: {}", process.id, process.command)));
        for backend in names(&self.state().join("machines")) {
            let folders = names(&self.state().join("machines").join(backend));
            left.extend(
                folders.into_iter().filter(|name| !others.machines.contains(name)).map(|name| format!("folder {name}")),
            );
        }
        left.extend(self.engine.iter().flat_map(|engine| engine.containers(&self.deployment)));
        left.extend(names(&self.credentials()).into_iter().map(|name| format!("credentials {name}")));
        left
    }
}

/// Checks that no line of our own in a log shows how values are written in Rust, or names something without saying what.
#[track_caller]
fn check_is_for_people(log: &str) {
    for line in log.lines().filter(|line| line.contains("\"target\":\"daemon")) {
        for word in ["Some(", "None", " { ", ":\"\"", ": \""] {
            assert!(!line.contains(word), "{word} in the log: {line}");
        }
    }
}

/// The names in a folder; none where there is no folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Handles with two registrations whose runners were both in contact with the forge at one time.
fn two_at_once(registrations: &[RegistrationRecord], now: Moment) -> Vec<&str> {
    let mut spans: BTreeMap<&str, Vec<(Moment, Moment)>> = BTreeMap::new();
    for registration in registrations {
        let Some((_, handle)) = registration.description.split_once("handle=") else { continue };
        let Some(from) = registration.contacted else { continue };
        let to = match registration.end {
            RegistrationEnd::StillThere => now,
            RegistrationEnd::Deleted(at) | RegistrationEnd::UsedUp(at) | RegistrationEnd::Swept(at) => at,
        };
        spans.entry(handle).or_default().push((from, to));
    }
    spans.retain(|_, spans| {
        spans.sort_unstable();
        spans.windows(2).any(|pair| pair[1].0 < pair[0].1)
    });
    spans.into_keys().collect()
}
