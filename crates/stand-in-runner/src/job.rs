//! One job from its task to its outcome.
//!
//! ```text
//! task ─► read ─► can it run here? ─► its `if` ─► step, step, … ─► outputs ─► outcome
//!           └────────┴── no: failure, with a line that says why      (stopped: no further step begins)
//! ```

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::time::Duration;

use runner_rpc::messages::Task;
use runner_rpc::outcome::Result as Outcome;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::args::Connection;
use crate::console::{chain, say};
use crate::contexts::{Contexts, hidden_values};
use crate::environment;
use crate::error::Error;
use crate::expression::{self, Standing};
use crate::label::{Label, Schema};
use crate::places::Places;
use crate::report::Report;
use crate::stop::Halt;
use crate::workflow::{Workflow, filled};

/// How long any job may run: the real runner's default for `runner.timeout` (protocol 3.6).
pub(crate) const RUNNER_LIMIT: Duration = Duration::from_hours(3);

/// A job while its steps run.
pub(crate) struct Running {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) contexts: Contexts,
    pub(crate) report: Arc<Report>,
    pub(crate) places: Places,
    pub(crate) halt: Halt,
    /// What every step gets last, so that no `env:` replaces it.
    pub(crate) fixed: Vec<(String, String)>,
    /// What steps have put before `PATH`, the latest first.
    pub(crate) paths: Vec<String>,
    pub(crate) standing: Standing,
}

/// Runs the job of a task and tells how it ended. What goes wrong is in the report.
pub(crate) async fn perform(task: &Task, connection: &Connection, report: &Arc<Report>, halt: Halt) -> Outcome {
    report.hide(connection.credentials.token.expose_secret());
    for value in hidden_values(task) {
        report.hide(value);
    }
    let running = match begin(task, connection, report, halt) {
        Ok(running) => running,
        Err(error) => {
            report.say(&format!("Error: {}", chain(&error)));
            return Outcome::Failure;
        }
    };
    running.run().await
}

/// Everything before the first step.
fn begin(task: &Task, connection: &Connection, report: &Arc<Report>, mut halt: Halt) -> Result<Running, Error> {
    let workflow = Workflow::parse(task.workflow_payload.as_deref().ok_or(Error::NoWorkflow)?)?;
    report.set_steps(workflow.job.steps.len());
    report.say(&format!("Job {:?} on the stand-in runner", workflow.job.name.as_deref().unwrap_or_default()));
    tell_about_label(workflow.job.runs_on(), &connection.labels, report);
    if let Some(what) = workflow.job.unsupported() {
        return Err(Error::NotExecuted { what: what.to_owned() });
    }
    let parent = env::current_dir().map_err(|source| Error::SetUp { what: "the working directory", source })?;
    let places = Places::create(&parent, task.id)?;
    let workspace = places.workspace();
    let mut contexts =
        Contexts::new(task, connection.url.as_str(), &workspace.to_string_lossy(), workflow.job.matrix());
    for (name, value) in filled(Some(&workflow.env)).chain(workflow.job.env()) {
        let value = expression::interpolate(value, &contexts)?;
        contexts.env.insert(name.to_owned(), value);
    }
    if let Some(minutes) = &workflow.job.timeout_minutes {
        halt.set_deadline(Some(Instant::now() + time_limit(minutes, &contexts)?));
    }
    let fixed = environment::of_job(&contexts);
    let (workflow, report) = (Arc::new(workflow), Arc::clone(report));
    Ok(Running { workflow, contexts, report, places, halt, fixed, paths: Vec::new(), standing: Standing::Good })
}

impl Running {
    async fn run(mut self) -> Outcome {
        let outcome = match self.is_wanted() {
            Ok(true) => self.run_steps().await,
            Ok(false) => Outcome::Skipped,
            Err(error) => self.fail(&error),
        };
        if let Err(error) = self.places.remove() {
            // Something that the job left behind may still write there. It is of no concern to the job's result.
            say(chain(&error));
        }
        outcome
    }

    /// Whether the job's own `if` holds. Its status functions speak of the jobs that it needs; without an `if` all of
    /// them must have succeeded, for a forge may leave that to the runner.
    fn is_wanted(&self) -> Result<bool, Error> {
        let condition = self.workflow.job.condition.as_deref().unwrap_or_default();
        expression::condition(condition, &self.contexts, Standing::after(self.contexts.need_results()))
    }

    async fn run_steps(&mut self) -> Outcome {
        for index in 0..self.workflow.job.steps.len() {
            if self.halt.now().is_none() {
                self.step(index).await;
            }
            if let Some(stop) = self.halt.now() {
                self.report.say(&format!("The job is stopped: {}", stop.reason()));
                return stop.outcome();
            }
        }
        if let Err(error) = self.collect_outputs() {
            return self.fail(&error);
        }
        if self.standing == Standing::Good { Outcome::Success } else { Outcome::Failure }
    }

    fn collect_outputs(&mut self) -> Result<(), Error> {
        let outputs: BTreeMap<&str, String> = self
            .workflow
            .job
            .outputs()
            .map(|(name, text)| Ok((name, expression::interpolate(text, &self.contexts)?)))
            .collect::<Result<_, Error>>()?;
        for (name, value) in outputs {
            self.report.set_output(name, value);
        }
        Ok(())
    }

    /// Tells an error of the job in its log.
    pub(crate) fn fail(&self, error: &Error) -> Outcome {
        self.report.say(&format!("Error: {}", chain(error)));
        Outcome::Failure
    }
}

/// A `timeout-minutes`, with fractions; never more than the runner's limit.
pub(crate) fn time_limit(text: &str, contexts: &Contexts) -> Result<Duration, Error> {
    let text = expression::interpolate(text, contexts)?;
    let minutes = text.trim().parse().ok().filter(|minutes: &f64| *minutes > 0.0);
    let limit = minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok());
    limit.map(|limit| limit.min(RUNNER_LIMIT)).ok_or(Error::TimeoutMinutes { text })
}

/// The first label of `runs-on` that the runner has decides about the environment (protocol 4): here it is always the
/// host, which is said when the label means a container.
fn tell_about_label(runs_on: &[String], labels: &[Label], report: &Report) {
    let chosen = runs_on.iter().find_map(|wanted| labels.iter().find(|label| label.name == *wanted));
    if let Some(label) = chosen.filter(|label| label.schema != Schema::Host) {
        let (name, schema) = (&label.name, label.schema.name());
        report.say(&format!("The label {name:?} means {schema}, but the stand-in runner runs its jobs on the host"));
    }
}
