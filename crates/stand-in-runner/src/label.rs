//! Labels of a runner: `name[:schema[:argument]]` (protocol 4).
//!
//! Promise: exactly the labels that the real runner refuses are refused. Deliberately absent: containers. A label
//! with the schema `docker` or `lxc` is declared by its name, and its jobs run on the host.

use crate::error::Error;

/// What a label says about where its jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// In a Docker container; also meant when a label names no schema.
    Docker,
    /// In an LXC container.
    Lxc,
    /// Directly on the machine.
    Host,
}

impl Schema {
    /// The name within a label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Lxc => "lxc",
            Self::Host => "host",
        }
    }
}

/// One label of the runner. The schema's argument is checked, then forgotten: nothing here uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The only part that the forge gets to know.
    pub(crate) name: String,
    /// Where its jobs would run with the real runner.
    pub(crate) schema: Schema,
}

impl Label {
    /// Reads a label, split at its first two colons.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::Label { label: text.to_owned(), reason };
        let mut parts = text.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return Err(refuse("its name is empty"));
        }
        if name.starts_with(' ') || name.ends_with(' ') {
            return Err(refuse("its name begins or ends with a space"));
        }
        let schema = match (parts.next(), parts.next()) {
            (None | Some("docker"), _) => Schema::Docker,
            (Some("lxc"), _) => Schema::Lxc,
            (Some("host"), None) => Schema::Host,
            (Some("host"), Some(_)) => return Err(refuse("the schema host takes no argument")),
            (Some(_), _) => return Err(refuse("its schema is none of docker, lxc and host")),
        };
        Ok(Self { name: name.to_owned(), schema })
    }
}

#[cfg(test)]
mod tests {
    use super::{Label, Schema};

    #[test]
    fn a_label_is_split_at_its_first_two_colons() {
        let cases = [
            ("debian", "debian", Schema::Docker),
            ("gpu:host", "gpu", Schema::Host),
            ("vm:lxc://debian:bookworm", "vm", Schema::Lxc),
            ("ci:docker://registry.example:5000/img:1", "ci", Schema::Docker),
        ];
        for (text, name, schema) in cases {
            assert_eq!(Label::parse(text).unwrap(), Label { name: name.to_owned(), schema }, "{text}");
        }
    }

    #[test]
    fn the_labels_that_the_real_runner_refuses_are_refused() {
        for text in ["", ":host", "lab:host:x", "lab :host", " lab", "lab:foo", "lab:foo:bar"] {
            assert!(Label::parse(text).is_err(), "{text}");
        }
    }
}
