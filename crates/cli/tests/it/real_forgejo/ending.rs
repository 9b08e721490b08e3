//! The end of every test: nothing is left on the server nor here.

use std::fs;

use rustix::process::Signal;

use super::stage::{LIMIT, PAUSE, Stage};
use crate::e2e::leftovers::names;
use crate::e2e::processes;
use crate::e2e::secrets::files;
use crate::e2e::world::wait_for;

impl Stage {
    /// Checks that nothing is left in the end, and ends the daemon.
    #[track_caller]
    pub(super) fn check_nothing_left(&mut self) {
        let mut left = Vec::new();
        let clean = wait_for(LIMIT, PAUSE, || {
            left = self.left();
            left.is_empty()
        });
        assert!(clean, "something is left: {left:#?}");
        let daemon = self.take_daemon();
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait(), Some(0), "the daemon's exit status");
        assert_eq!(self.left(), Vec::<String>::new(), "left by the daemon's end");
        let log = fs::read_to_string(self.log()).expect("a log");
        assert!(!log.contains("\"level\":\"ERROR\""), "the daemon complains");
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for scope in [self.scope_path(), "/admin".to_owned()] {
            match self.forge.registrations(&scope, &self.name) {
                Ok(rows) => left.extend(rows.into_iter().map(|(_, name)| format!("registration {name} in {scope}"))),
                Err(error) => left.push(error),
            }
        }
        let running = processes::of_deployment(&self.name);
        left.extend(running.iter().map(|process| format!("process {}: {}", process.id, process.command)));
        left.extend(names(&self.machines()).into_iter().map(|name| format!("folder {name}")));
        left.extend(files(&self.credentials()).into_iter().map(|file| format!("credentials {}", file.display())));
        left
    }
}
