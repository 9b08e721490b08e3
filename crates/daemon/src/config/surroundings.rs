//! What a configuration may take from the process that reads it, as an input.

use std::fmt;

/// Looks up an environment variable.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Environment variables, and whether we are root.
pub struct Surroundings {
    variables: Lookup,
    /// Whether files of the system are ours to use.
    pub root: bool,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok(), rustix::process::geteuid().is_root())
    }

    /// Given ones.
    pub fn new(variables: impl Fn(&str) -> Option<String> + 'static, root: bool) -> Self {
        Self { variables: Box::new(variables), root }
    }

    /// The value of a variable that is set and is text.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }
}

impl fmt::Debug for Surroundings {
    /// Without the variables: tokens may be among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("root", &self.root).finish_non_exhaustive()
    }
}
