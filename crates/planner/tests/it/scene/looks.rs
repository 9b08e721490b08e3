//! What a test looks at.

use planner::action::Action;
use planner::event::EndReason;
use planner::ids::Handle;
use planner::report::{MachineReason, Reason, RunnerReason};
use planner::state::Assignment;

use super::Scene;

impl Scene {
    /// The calls begun since the last look, in order.
    pub(crate) fn took(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.begun).iter().map(Action::word).collect()
    }

    /// The calls begun since the last look, in order.
    pub(crate) fn took_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.begun)
    }

    /// The handles for which machines were asked for since the last look, in order.
    pub(crate) fn created(&mut self) -> Vec<String> {
        let begun = std::mem::take(&mut self.begun);
        let creates = begun.iter().filter(|action| matches!(action, Action::Create { .. }));
        creates.filter_map(Action::key).map(|key| key.job.handle.to_string()).collect()
    }

    /// Why a job is where it is.
    pub(crate) fn reason(&self, handle: &str) -> &Reason {
        let row = self.report.jobs.iter().find(|job| job.handle.as_str() == handle);
        &row.expect("every listed job has a reason").reason
    }

    /// Why a machine is there.
    pub(crate) fn machine_reason(&self, handle: &str) -> &MachineReason {
        let is_its = |of: &Handle| of.as_str() == handle;
        let row = self.report.machines.iter().find(|machine| machine.handle.as_ref().is_some_and(is_its));
        &row.expect("every machine has a reason").reason
    }

    /// Why registrations without an assignment are there.
    pub(crate) fn runner_reasons(&self) -> Vec<&RunnerReason> {
        self.report.runners.iter().map(|runner| &runner.reason).collect()
    }

    /// The facts of the newest try for a job.
    pub(crate) fn assignment(&self, handle: &str) -> &Assignment {
        let mut all = self.state.journal.assignments.iter();
        all.rfind(|(key, _)| key.job.handle.as_str() == handle).expect("the job has an assignment").1
    }

    /// The same, to write into the books what never comes there.
    pub(crate) fn books(&mut self, handle: &str) -> &mut Assignment {
        let mut all = self.state.journal.assignments.iter_mut();
        all.rfind(|(key, _)| key.job.handle.as_str() == handle).expect("the job has an assignment").1
    }

    /// Why the newest try for a job ends.
    pub(crate) fn ending(&self, handle: &str) -> Option<&EndReason> {
        self.assignment(handle).ending.as_ref().map(|end| &end.reason)
    }

    /// Fails unless nothing at all is left of what was made.
    pub(crate) fn nothing_is_left(&self) {
        assert!(self.state.journal.assignments.is_empty(), "{:?}", self.state.journal.assignments);
        assert!(self.state.journal.warm.is_empty(), "{:?}", self.state.journal.warm);
        assert!(self.state.journal.strays.is_empty() && self.state.journal.credentials.is_empty());
        assert_eq!((self.machines.len(), self.runners.len(), self.open.len()), (0, 0, 0));
    }
}
