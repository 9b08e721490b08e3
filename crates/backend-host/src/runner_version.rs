//! Which Forgejo Runner a program is.
//!
//! Promises: the program gets a clean environment, is killed at a deadline, and little of what it says is read. Without
//! another user it runs as the one that asks: ask so only about a program that this user would trust anyway.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::asked;
use crate::settings::Program;
use crate::user::User;

/// How long a program may take to say its version: it does so in milliseconds, but the host may be busy with jobs.
const DEADLINE: Duration = Duration::from_secs(10);

/// How much of its answer is read: one line is expected.
const ANSWER_LIMIT: u64 = 4 << 10;

/// What Forgejo Runner calls itself in its answer, whatever the name of its file.
const NAME: &str = "forgejo-runner";

/// How much of an answer without a version is shown.
const SHOWN_CHARACTERS: usize = 200;

/// A version of Forgejo Runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunnerVersion {
    /// As in 12.8.2, the 12.
    pub major: u32,
    /// The 8.
    pub minor: u32,
    /// The 2.
    pub patch: u32,
}

impl RunnerVersion {
    /// The first with the flags that a launch needs (protocol 3.6).
    pub const LEAST: Self = Self { major: 12, minor: 8, patch: 0 };

    /// The first that does not end with 0 when it got no job (protocol 3.6).
    pub const LEAST_WITHOUT_DOUBT: Self = Self { major: 12, minor: 8, patch: 2 };

    /// Finds it in what `--version` prints: `forgejo-runner version v12.8.2`.
    fn find(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut numbers = word.trim_start_matches('v').splitn(3, '.');
            let (major, minor, rest) = (numbers.next()?, numbers.next()?, numbers.next()?);
            // What a build adds to its number: `12.8.2-3-gabcdef`, `13.0.0+dev`.
            let patch = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()?, patch: patch.parse().ok()? })
        })
    }
}

impl fmt::Display for RunnerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Why the version of a program is not known.
#[derive(Debug, thiserror::Error)]
pub enum RunnerVersionError {
    /// It could not be run.
    #[error("could not run {} --version", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It did not end in time and was killed.
    #[error("{} --version did not end within {} s", program.display(), DEADLINE.as_secs())]
    Late {
        /// The program.
        program: PathBuf,
    },
    /// It is another program.
    #[error("{} --version names no {NAME}, but says: {said}", program.display())]
    Foreign {
        /// The program.
        program: PathBuf,
        /// The beginning of its answer.
        said: String,
    },
    /// It is a build without a version.
    #[error("{} --version names no version, but says: {said}", program.display())]
    Unknown {
        /// The program.
        program: PathBuf,
        /// The beginning of its answer.
        said: String,
    },
}

/// Asks a program for its version. `path` is the PATH that it gets and is looked up in; nothing else is handed down. With a
/// `user`, it runs as that one: what runs jobs is not worth more trust than they are. Only root can do that.
pub async fn runner_version(
    program: &Program,
    path: &str,
    user: Option<&User>,
) -> Result<RunnerVersion, RunnerVersionError> {
    version_within(program, path, user, DEADLINE).await
}

async fn version_within(
    program: &Program,
    path: &str,
    user: Option<&User>,
    deadline: Duration,
) -> Result<RunnerVersion, RunnerVersionError> {
    let said = match tokio::time::timeout(deadline, ask(program, path, user)).await {
        Ok(said) => said.map_err(|source| RunnerVersionError::Run { program: program.path.clone(), source })?,
        Err(_) => return Err(RunnerVersionError::Late { program: program.path.clone() }),
    };
    let version = RunnerVersion::find(&said).filter(|_| said.contains(NAME));
    version.ok_or_else(|| {
        let (is_foreign, program) = (!said.contains(NAME), program.path.clone());
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_CHARACTERS).collect();
        if is_foreign {
            RunnerVersionError::Foreign { program, said }
        } else {
            RunnerVersionError::Unknown { program, said }
        }
    })
}

async fn ask(program: &Program, path: &str, user: Option<&User>) -> io::Result<String> {
    let mut command = asked::command(&program.path, user);
    command.args(&program.arguments).arg("--version").env("PATH", path);
    // One that says more than we read is killed when it is dropped.
    let (out, err) = asked::said(&mut command.spawn()?, ANSWER_LIMIT).await?;
    Ok(format!("{out} {err}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RunnerVersion, RunnerVersionError, runner_version, version_within};
    use crate::settings::Program;

    const PATH: &str = "/usr/bin:/bin";

    /// A program that is this shell script.
    fn script(text: &str) -> Program {
        Program { path: "sh".into(), arguments: vec!["-c".to_owned(), text.to_owned()] }
    }

    async fn asked(text: &str) -> Result<RunnerVersion, RunnerVersionError> {
        runner_version(&script(text), PATH, None).await
    }

    #[tokio::test]
    async fn the_version_is_found_in_what_the_runner_prints() {
        for (said, expected) in [
            ("forgejo-runner version v12.8.2", "12.8.2"),
            ("forgejo-runner version 12.7.3", "12.7.3"),
            ("forgejo-runner version v13.0.0-3-gabcdef0", "13.0.0"),
            ("forgejo-runner 1.2.3+dev (go1.25.1)", "1.2.3"),
        ] {
            assert_eq!(asked(&format!("echo '{said}'")).await.unwrap().to_string(), expected);
            assert_eq!(asked(&format!("echo '{said}' >&2")).await.unwrap().to_string(), expected);
        }
    }

    #[tokio::test]
    async fn versions_are_ordered_by_number() {
        let newer = asked("echo forgejo-runner v12.10.1").await.unwrap();
        assert!(newer > RunnerVersion::LEAST_WITHOUT_DOUBT);
        assert!(asked("echo forgejo-runner v12.7.9").await.unwrap() < RunnerVersion::LEAST);
    }

    #[tokio::test]
    async fn what_is_no_forgejo_runner_or_names_no_version_is_quoted_and_bounded() {
        let error = asked("yes 'no such option' | head -c 100000").await.unwrap_err();
        let RunnerVersionError::Foreign { said, .. } = error else { panic!("{error:?}") };
        assert!(said.starts_with("no such option no") && said.len() == 200, "{said}");
        let error = asked("echo another program 22.11.0").await.unwrap_err();
        assert!(matches!(error, RunnerVersionError::Foreign { .. }), "{error:?}");
        let error = asked("echo forgejo-runner version dev").await.unwrap_err();
        assert!(matches!(error, RunnerVersionError::Unknown { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let error = version_within(&script("exec sleep 600"), PATH, None, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, RunnerVersionError::Late { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let missing = Program { path: "/no/such/runner".into(), arguments: Vec::new() };
        let error = runner_version(&missing, "", None).await.unwrap_err();
        assert!(matches!(error, RunnerVersionError::Run { .. }), "{error:?}");
        assert_eq!(error.to_string(), "could not run /no/such/runner --version");
    }
}
