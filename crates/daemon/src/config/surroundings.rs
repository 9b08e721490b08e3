//! What a configuration may take from the process that reads it, as an input.

use std::fmt;

use backend_host::{User, UserError};

/// The PATH where there is none.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Looks up an environment variable.
type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Looks up a user.
type Users = Box<dyn Fn(&str) -> Result<User, UserError>>;

/// Environment variables, users, and whether we are root.
pub struct Surroundings {
    variables: Lookup,
    users: Users,
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
        Self { variables: Box::new(variables), users: Box::new(User::look_up), root }
    }

    /// The same, with these users in the place of the host's.
    #[must_use]
    pub fn with_users(self, users: impl Fn(&str) -> Result<User, UserError> + 'static) -> Self {
        Self { users: Box::new(users), ..self }
    }

    /// A user by name or number.
    pub(super) fn user(&self, text: &str) -> Result<User, UserError> {
        (self.users)(text)
    }

    /// Where programs are looked for; a usual one where not even the daemon has one.
    pub(super) fn path(&self) -> String {
        self.variable("PATH").unwrap_or_else(|| PATH.to_owned())
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
