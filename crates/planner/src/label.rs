//! Labels of runners and how they match a job's `runs_on` (protocol 4).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A label in Forgejo Runner's own syntax: `name[:schema[:argument]]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label {
    name: String,
    environment: Environment,
}

/// Where a job of a label runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Environment {
    /// In a container that the runner makes; the argument as written (`//image`), or the runner's default.
    Docker(Option<String>),
    /// In an LXC container; the argument as written.
    Lxc(Option<String>),
    /// Directly where the runner runs.
    Host,
}

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The part before the first colon is empty or has blanks around it.
    #[error("label `{0}` needs a name without blanks around it")]
    Name(String),
    /// The schema is none that Forgejo Runner knows.
    #[error("label `{label}` has the unknown schema `{schema}`: use docker, lxc or host")]
    Schema {
        /// The label as written.
        label: String,
        /// The schema as written.
        schema: String,
    },
    /// `host` takes no argument.
    #[error("label `{0}` gives an argument to `host`, which takes none")]
    HostArgument(String),
}

impl Label {
    /// Reads `name[:schema[:argument]]`; further colons belong to the argument.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let mut parts = text.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() || name.trim() != name {
            return Err(LabelError::Name(text.to_owned()));
        }
        let schema = parts.next();
        let argument = parts.next().map(str::to_owned);
        let environment = match schema {
            None | Some("docker") => Environment::Docker(argument),
            Some("lxc") => Environment::Lxc(argument),
            Some("host") if argument.is_none() => Environment::Host,
            Some("host") => return Err(LabelError::HostArgument(text.to_owned())),
            Some(other) => return Err(LabelError::Schema { label: text.to_owned(), schema: other.to_owned() }),
        };
        Ok(Self { name: name.to_owned(), environment })
    }

    /// The part that Forgejo sees and matches.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a job of this label runs.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl Environment {
    /// The image that it names, if it names one.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::Docker(image) => image.as_deref().map(|image| image.trim_start_matches("//")),
            Self::Lxc(_) | Self::Host => None,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (schema, argument) = match &self.environment {
            Environment::Docker(argument) => ("docker", argument.as_deref()),
            Environment::Lxc(argument) => ("lxc", argument.as_deref()),
            Environment::Host => ("host", None),
        };
        write!(f, "{}:{schema}", self.name)?;
        argument.map_or(Ok(()), |argument| write!(f, ":{argument}"))
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.to_string()
    }
}

/// The labels that a job asks for, in order. Shared, not copied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct RunsOn(Arc<[String]>);

impl From<Vec<String>> for RunsOn {
    fn from(labels: Vec<String>) -> Self {
        Self(labels.into())
    }
}

impl From<RunsOn> for Vec<String> {
    fn from(labels: RunsOn) -> Self {
        labels.0.to_vec()
    }
}

impl Deref for RunsOn {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

/// Which of `runs_on` no label carries, in order, each once. Empty means that the labels fit, unless `runs_on` is empty
/// itself: such a job never runs (protocol 1.3).
pub fn missing_labels(runs_on: &[String], labels: &[Label]) -> Vec<String> {
    let names: BTreeSet<&str> = labels.iter().map(Label::name).collect();
    let mut missing = Vec::new();
    for wanted in runs_on {
        if !names.contains(wanted.as_str()) && !missing.contains(wanted) {
            missing.push(wanted.clone());
        }
    }
    missing
}

/// Whether a runner with these labels may be given a job: `runs_on` is not empty and each of it is there, exactly and
/// case-sensitively (protocol 4).
pub fn fits(runs_on: &[String], labels: &[Label]) -> bool {
    !runs_on.is_empty() && runs_on.iter().all(|wanted| labels.iter().any(|label| label.name() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str]) -> Vec<Label> {
        texts.iter().map(|text| Label::parse(text).unwrap()).collect()
    }

    fn runs_on(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_label_is_written_back_with_its_schema() {
        for (text, written) in [
            ("debian", "debian:docker"),
            ("debian:docker://node:22-bookworm", "debian:docker://node:22-bookworm"),
            ("ci:docker://registry.example:5000/img:1", "ci:docker://registry.example:5000/img:1"),
            ("vm:lxc://debian:bookworm", "vm:lxc://debian:bookworm"),
            ("gpu:host", "gpu:host"),
        ] {
            assert_eq!(Label::parse(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_the_runner_refuses_is_refused_here() {
        assert!(matches!(Label::parse(""), Err(LabelError::Name(_))));
        assert!(matches!(Label::parse(" a:host"), Err(LabelError::Name(_))));
        assert!(matches!(Label::parse("a:vm"), Err(LabelError::Schema { .. })));
        assert!(matches!(Label::parse("a:host:x"), Err(LabelError::HostArgument(_))));
    }

    #[test]
    fn a_job_fits_when_each_of_its_labels_is_there() {
        let pool = labels(&["debian:docker", "gpu:host"]);
        assert!(fits(&runs_on(&["debian"]), &pool));
        assert!(fits(&runs_on(&["gpu", "debian", "gpu"]), &pool));
        assert!(!fits(&runs_on(&["Debian"]), &pool));
        assert!(!fits(&[], &pool));
        assert_eq!(missing_labels(&runs_on(&["x", "gpu", "y", "x"]), &pool), ["x", "y"]);
    }
}
