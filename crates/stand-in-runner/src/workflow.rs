//! The workflow payload of a task: YAML with exactly one job (protocol 3.5).
//!
//! Only what this runner acts on is read; unknown keys are ignored, as a newer forge may send them. All scalars are
//! kept as the text that was written, so that `1.10` in an `env:` stays `1.10`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::Error;

/// Names with values; a value that is left out is empty.
pub(crate) type Variables = BTreeMap<String, Option<String>>;

/// The workflow, cut down to its job.
#[derive(Debug)]
pub(crate) struct Workflow {
    pub(crate) env: Variables,
    /// Settings of all steps; those of the job come first.
    pub(crate) run_defaults: [RunDefaults; 2],
    pub(crate) job: Job,
}

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    env: Option<Variables>,
    #[serde(default)]
    defaults: Option<Defaults>,
    #[serde(default)]
    jobs: BTreeMap<String, Job>,
}

/// The job.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Job {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default, rename = "if")]
    pub(crate) condition: Option<String>,
    #[serde(default)]
    runs_on: Option<RunsOn>,
    #[serde(default)]
    env: Option<Variables>,
    #[serde(default)]
    outputs: Option<Variables>,
    #[serde(default)]
    pub(crate) timeout_minutes: Option<String>,
    #[serde(default)]
    defaults: Option<Defaults>,
    #[serde(default)]
    strategy: Option<Strategy>,
    #[serde(default)]
    container: Option<IgnoredAny>,
    #[serde(default)]
    services: Option<IgnoredAny>,
    #[serde(default)]
    uses: Option<String>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Step {
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "if")]
    pub(crate) condition: Option<String>,
    #[serde(default)]
    pub(crate) run: Option<String>,
    #[serde(default)]
    pub(crate) uses: Option<String>,
    #[serde(default)]
    pub(crate) shell: Option<String>,
    #[serde(default)]
    pub(crate) working_directory: Option<String>,
    #[serde(default)]
    env: Option<Variables>,
    #[serde(default)]
    pub(crate) timeout_minutes: Option<String>,
    #[serde(default)]
    pub(crate) continue_on_error: Option<String>,
}

/// `defaults.run` of the workflow or the job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RunDefaults {
    #[serde(default)]
    pub(crate) shell: Option<String>,
    #[serde(default)]
    pub(crate) working_directory: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Defaults {
    #[serde(default)]
    run: Option<RunDefaults>,
}

#[derive(Debug, Deserialize)]
struct Strategy {
    #[serde(default)]
    matrix: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RunsOn {
    One(String),
    Several(Vec<String>),
    /// The object form with `labels` and `group`, or an expression: it only served to choose the runner.
    Other(IgnoredAny),
}

impl Workflow {
    /// Reads the payload of a task.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Error> {
        let unreadable = |source| Error::Workflow { source: Box::new(source) };
        let document: Document = serde_saphyr::from_slice(payload).map_err(unreadable)?;
        let count = document.jobs.len();
        let mut jobs = document.jobs.into_values();
        let (Some(job), None) = (jobs.next(), jobs.next()) else { return Err(Error::JobCount { count }) };
        let run = |defaults: Option<&Defaults>| defaults.and_then(|defaults| defaults.run.clone()).unwrap_or_default();
        let run_defaults = [run(job.defaults.as_ref()), run(document.defaults.as_ref())];
        Ok(Self { env: document.env.unwrap_or_default(), run_defaults, job })
    }
}

impl Job {
    /// The labels that the job asks for, in order.
    pub(crate) fn runs_on(&self) -> &[String] {
        match &self.runs_on {
            Some(RunsOn::One(label)) => std::slice::from_ref(label),
            Some(RunsOn::Several(labels)) => labels,
            Some(RunsOn::Other(_)) | None => &[],
        }
    }

    /// Variables of all steps.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        filled(self.env.as_ref())
    }

    /// Names of the job's outputs, with their expressions.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&str, &str)> {
        filled(self.outputs.as_ref())
    }

    /// The combination of matrix values that this job stands for: the forge cuts every list down to one value.
    pub(crate) fn matrix(&self) -> Value {
        let combination = match self.strategy.as_ref().and_then(|strategy| strategy.matrix.as_ref()) {
            Some(Value::Object(axes)) => axes
                .iter()
                .filter_map(|(axis, values)| Some((axis.clone(), values.as_array()?.first()?.clone())))
                .collect(),
            _ => serde_json::Map::new(),
        };
        Value::Object(combination)
    }

    /// What the job asks for and never gets here.
    pub(crate) fn unsupported(&self) -> Option<&'static str> {
        if self.container.is_some() {
            return Some("a job with a container");
        }
        if self.services.is_some() {
            return Some("a job with services");
        }
        self.uses.as_ref().map(|_| "a reusable workflow")
    }
}

impl Step {
    /// What to call the step in the log.
    pub(crate) fn title(&self) -> &str {
        let first_line = self.run.as_deref().and_then(|script| script.trim().lines().next());
        self.name.as_deref().or(first_line).or(self.uses.as_deref()).unwrap_or("a step without run and uses")
    }

    /// Variables of this step.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        filled(self.env.as_ref())
    }
}

/// Names and values, with the empty text for a value that was left out.
pub(crate) fn filled(variables: Option<&Variables>) -> impl Iterator<Item = (&str, &str)> {
    variables.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Workflow;
    use crate::error::Error;

    const PAYLOAD: &str = r#"
name: ci
"on": push
env: {VERSION: 1.10, EMPTY: }
defaults: {run: {shell: bash}}
jobs:
  build:
    name: build (linux)
    runs-on: [debian, gpu]
    timeout-minutes: 0.5
    if: true
    strategy: {matrix: {os: [linux], go: [{version: 2}]}}
    outputs: {tag: "${{ steps.a.outputs.tag }}"}
    defaults: {run: {working-directory: sub}}
    new-key: [1, 2]
    steps:
      - run: |
          echo one
          echo two
        id: a
        continue-on-error: true
        env: {N: 3, B: yes}
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
"#;

    #[test]
    fn scalars_are_kept_as_they_were_written() {
        let workflow = Workflow::parse(PAYLOAD.as_bytes()).unwrap();
        assert_eq!(workflow.env["VERSION"].as_deref(), Some("1.10"));
        assert_eq!(workflow.env["EMPTY"], None);
        assert_eq!(workflow.job.timeout_minutes.as_deref(), Some("0.5"));
        assert_eq!(workflow.job.condition.as_deref(), Some("true"));
        assert_eq!(workflow.job.steps[0].env().collect::<Vec<_>>(), [("B", "yes"), ("N", "3")]);
        assert_eq!(workflow.job.steps[0].continue_on_error.as_deref(), Some("true"));
    }

    #[test]
    fn the_job_is_read() {
        let workflow = Workflow::parse(PAYLOAD.as_bytes()).unwrap();
        let job = &workflow.job;
        assert_eq!(job.runs_on(), ["debian", "gpu"]);
        assert_eq!(job.matrix(), json!({"os": "linux", "go": {"version": 2}}));
        assert_eq!(job.outputs().collect::<Vec<_>>(), [("tag", "${{ steps.a.outputs.tag }}")]);
        assert_eq!(job.unsupported(), None);
        assert_eq!(job.steps[0].title(), "echo one");
        assert_eq!(job.steps[1].title(), "actions/checkout@v4");
        assert_eq!(workflow.run_defaults[0].working_directory.as_deref(), Some("sub"));
        assert_eq!(workflow.run_defaults[1].shell.as_deref(), Some("bash"));
    }

    #[test]
    fn every_form_of_runs_on_is_accepted() {
        let cases = [("lab", vec!["lab"]), ("[a, b]", vec!["a", "b"]), ("{labels: a}", vec![]), ("", vec![])];
        for (runs_on, expected) in cases {
            let payload = format!("jobs:\n  a:\n    runs-on: {runs_on}\n    steps: []\n");
            assert_eq!(Workflow::parse(payload.as_bytes()).unwrap().job.runs_on(), expected, "{runs_on}");
        }
    }

    #[test]
    fn what_cannot_run_here_is_named() {
        for (line, expected) in [
            ("container: node:22", "a job with a container"),
            ("services: {db: {image: postgres}}", "a job with services"),
            ("uses: ./.forgejo/workflows/x.yml", "a reusable workflow"),
        ] {
            let payload = format!("jobs:\n  a:\n    {line}\n");
            assert_eq!(Workflow::parse(payload.as_bytes()).unwrap().job.unsupported(), Some(expected));
        }
    }

    #[test]
    fn anything_but_one_job_is_an_error() {
        assert!(matches!(Workflow::parse(b"name: x"), Err(Error::JobCount { count: 0 })));
        assert!(matches!(Workflow::parse(b"jobs: {a: {}, b: {}}"), Err(Error::JobCount { count: 2 })));
        assert!(matches!(Workflow::parse(b"jobs: ["), Err(Error::Workflow { .. })));
    }
}
