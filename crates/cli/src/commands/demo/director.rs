//! The director: pushes the runs, does to them what the scenes say, and waits until all is over.

use std::collections::BTreeSet;
use std::time::Duration;

use forge_model::{RunId, Status};
use planner::report::counted;

use super::progress::Progress;
use super::stage::Stage;
use super::workload::{Scene, Then, act};

/// How often the forge is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Scenes that are still to be played.
pub(super) struct Director {
    scenes: Vec<Scene>,
    later: Vec<(RunId, Then)>,
}

impl Director {
    pub(super) fn new(scenes: Vec<Scene>) -> Self {
        Self { scenes, later: Vec::new() }
    }

    /// Returns when every job has ended that can, and nothing of ours is left.
    pub(super) async fn direct(&mut self, stage: &Stage, progress: &mut Progress) {
        for scene in std::mem::take(&mut self.scenes) {
            let pushed = stage.emulator.with_forge(|forge, now| forge.push_run(now, scene.spec));
            match pushed {
                Ok(run) => self.later.push((run, scene.then)),
                Err(error) => progress.say(&format!("a run was refused: {error}")),
            }
        }
        loop {
            stage.emulator.with_forge(|forge, now| self.later.retain(|(run, then)| !act(forge, now, *run, *then)));
            progress.show(&stage.emulator);
            if self.later.is_empty() && jobs_are_over(stage) && progress.nothing_is_left() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Cancels every run and waits until nothing of ours is left.
pub(super) async fn call_off(stage: &Stage, progress: &mut Progress) {
    stage.emulator.with_forge(|forge, now| {
        let runs: BTreeSet<RunId> = forge.books().attempts().iter().map(|attempt| attempt.run).collect();
        for run in runs {
            // One that has ended is left as it is.
            let _ = forge.cancel_run(now, run);
        }
    });
    let mut told = String::new();
    loop {
        progress.show(&stage.emulator);
        let runners = stage.emulator.with_forge(|forge, _| forge.runners_now().len());
        if runners == 0 && progress.nothing_is_left() {
            return;
        }
        let left = format!(
            "waiting for the end of {} and {}",
            counted(progress.machines(), "machine"),
            counted(runners, "registration")
        );
        if told != left {
            progress.say(&left);
            told = left;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether every attempt has ended, but for the one that nobody can serve.
fn jobs_are_over(stage: &Stage) -> bool {
    stage.emulator.with_forge(|forge, _| {
        let open = forge.books().attempts().iter().filter(|attempt| attempt.ended_at.is_none());
        open.map(|attempt| (attempt.name.as_str(), attempt.status)).eq([("installer", Status::Waiting)])
            && forge.runners_now().is_empty()
    })
}
