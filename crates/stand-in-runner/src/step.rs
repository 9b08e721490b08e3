//! One step: its `if`, its environment, its shell, and what it leaves for the steps after it.
//!
//! Promise: a step that cannot be run as it was meant (an action, another shell, an expression that is not trivial)
//! fails with a line that says so; it is never passed over in silence.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use runner_rpc::outcome::Result as Outcome;
use tokio::process::Command;

use crate::environment::{self, find_program};
use crate::environment_files::EnvironmentFiles;
use crate::error::Error;
use crate::expression::{self, Standing};
use crate::job::{RUNNER_LIMIT, Running, time_limit};
use crate::process::{self, Ended};
use crate::workflow::Step;

/// What a step set by `GITHUB_OUTPUT`.
type Outputs = Vec<(String, String)>;

/// A program with its arguments before the script.
type Interpreter = (PathBuf, &'static [&'static str]);

impl Running {
    /// Runs a step if its `if` holds, and records how it ended.
    pub(crate) async fn step(&mut self, index: usize) {
        let workflow = self.workflow.clone();
        let step = &workflow.job.steps[index];
        let condition = step.condition.as_deref().unwrap_or_default();
        let wanted = expression::condition(condition, &self.contexts, self.standing);
        let (outcome, outputs) = match wanted {
            Ok(false) => (Outcome::Skipped, Outputs::new()),
            wanted => {
                self.report.begin_step(index);
                self.report.say(&format!("Step {} of {}: {}", index + 1, workflow.job.steps.len(), step.title()));
                self.attempt(index, step, wanted.map(|_| ())).await
            }
        };
        let conclusion = if outcome == Outcome::Failure && self.goes_on(step) { Outcome::Success } else { outcome };
        if conclusion == Outcome::Failure {
            self.standing = Standing::Failed;
        }
        self.report.end_step(index, outcome);
        if let Some(id) = &step.id {
            self.contexts.record_step(id, outputs, outcome, conclusion);
        }
    }

    /// The step in its own environment; errors become a failure that its log explains.
    async fn attempt(&mut self, index: usize, step: &Step, wanted: Result<(), Error>) -> (Outcome, Outputs) {
        let of_job = self.contexts.env.clone();
        let ended = match wanted.and_then(|()| self.enter(step)) {
            Ok(()) => self.execute(index, step).await,
            Err(error) => Err(error),
        };
        self.contexts.env = of_job;
        let (outcome, files) = match ended {
            Ok(ended) => ended,
            Err(error) => return (self.fail(&error), Outputs::new()),
        };
        match self.take_over(&files) {
            Ok(outputs) => (outcome, outputs),
            Err(error) => (self.fail(&error), Outputs::new()),
        }
    }

    /// Adds the step's own variables.
    fn enter(&mut self, step: &Step) -> Result<(), Error> {
        let own: Vec<(String, String)> = step
            .env()
            .map(|(name, value)| Ok((name.to_owned(), expression::interpolate(value, &self.contexts)?)))
            .collect::<Result<_, Error>>()?;
        self.contexts.env.extend(own);
        Ok(())
    }

    async fn execute(&mut self, index: usize, step: &Step) -> Result<(Outcome, EnvironmentFiles), Error> {
        if let Some(action) = &step.uses {
            return Err(Error::NotExecuted { what: format!("actions, such as {action}") });
        }
        let script = step.run.as_deref().ok_or_else(|| Error::NotExecuted { what: "a step without run".to_owned() })?;
        let script = expression::interpolate(script, &self.contexts)?;
        let limit = step.timeout_minutes.as_deref().map(|minutes| time_limit(minutes, &self.contexts)).transpose()?;
        let directory = self.working_directory(step)?;
        let place = self.places.of_step(index);
        let unwritable = |source| Error::Directory { action: "write", path: place.clone(), source };
        let files = EnvironmentFiles::create(place.clone()).map_err(unwritable)?;
        fs::write(files.script(), script).map_err(unwritable)?;
        let environment = self.environment(&files);
        let (program, arguments) = self.interpreter(step, &environment)?;

        let mut command = Command::new(program);
        command.args(arguments).arg(files.script()).current_dir(directory).env_clear().envs(environment);
        let ended = process::run(command, &self.report, limit.unwrap_or(RUNNER_LIMIT), &mut self.halt).await;
        Ok((self.outcome(&ended.map_err(|source| Error::Shell { source })?), files))
    }

    fn outcome(&self, ended: &Ended) -> Outcome {
        match ended {
            Ended::Exit(status) if status.success() => return Outcome::Success,
            Ended::Exit(status) => self.report.say(&format!("The step failed: {}", describe(*status))),
            Ended::TimedOut => self.report.say("The step was killed: its timeout-minutes are over"),
            Ended::Stopped(stop) => {
                self.report.say(&format!("The step was killed: {}", stop.reason()));
                return stop.outcome();
            }
        }
        Outcome::Failure
    }

    /// Where the step runs: below the workspace unless its path is absolute.
    fn working_directory(&self, step: &Step) -> Result<PathBuf, Error> {
        let defaults = self.workflow.run_defaults.iter().find_map(|defaults| defaults.working_directory.as_deref());
        let chosen = step.working_directory.as_deref().or(defaults).unwrap_or_default();
        Ok(self.places.workspace().join(expression::interpolate(chosen, &self.contexts)?))
    }

    fn environment(&self, files: &EnvironmentFiles) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = environment::base(&self.places.workspace()).into_iter().collect();
        variables.extend(self.contexts.env.clone());
        if let Some(path) = variables.get_mut("PATH") {
            let parts: Vec<&str> = self.paths.iter().map(String::as_str).chain([path.as_str()]).collect();
            *path = parts.join(":");
        }
        variables.extend(self.fixed.iter().cloned());
        for prefix in environment::PREFIXES {
            for (name, file) in files.variables() {
                variables.insert(format!("{prefix}{name}"), file.to_string_lossy().into_owned());
            }
        }
        variables
    }

    fn interpreter(&self, step: &Step, environment: &BTreeMap<String, String>) -> Result<Interpreter, Error> {
        let defaults = self.workflow.run_defaults.iter().find_map(|defaults| defaults.shell.as_deref());
        let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
        let plain = || (find_program("sh", path).unwrap_or_else(|| PathBuf::from("/bin/sh")), &["-e"][..]);
        match (step.shell.as_deref().or(defaults), find_program("bash", path)) {
            (None | Some("sh"), _) => Ok(plain()),
            (Some("bash"), Some(bash)) => Ok((bash, &["--noprofile", "--norc", "-e", "-o", "pipefail"])),
            (Some("bash"), None) => {
                self.report.say("There is no bash here: sh runs the script, without pipefail");
                Ok(plain())
            }
            (Some(shell), _) => {
                Err(Error::NotExecuted { what: format!("scripts in the shell {shell:?}, only sh and bash") })
            }
        }
    }

    /// Takes what the step has set, for itself and for the steps after it.
    fn take_over(&mut self, files: &EnvironmentFiles) -> Result<Outputs, Error> {
        let (outputs, variables, paths) = (files.outputs()?, files.environment()?, files.paths()?);
        self.contexts.env.extend(variables);
        for path in paths {
            self.paths.insert(0, path);
        }
        Ok(outputs)
    }

    /// Whether the job goes on as if the step had not failed.
    fn goes_on(&self, step: &Step) -> bool {
        let Some(text) = &step.continue_on_error else { return false };
        match expression::interpolate(text, &self.contexts) {
            Ok(value) => value.trim() == "true",
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "it ended without a code".to_owned(),
    }
}
