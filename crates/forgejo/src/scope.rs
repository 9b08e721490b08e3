//! Where jobs are watched and runners registered.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 is encoded within a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One of the four places of Forgejo that have a job queue and runners (protocol 1.1).
///
/// The order is that of the text form and means nothing; see [`Scope::narrowness`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole forge; needs a site admin's token.
    Instance,
    /// One organization, by name.
    Organization(String),
    /// One repository.
    Repository {
        /// User or organization that owns it.
        owner: String,
        /// Its name.
        name: String,
    },
    /// The user whom the token belongs to.
    User,
}

/// A text that names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no scope: {reason}")]
pub struct ScopeError {
    /// The text, cut to 80 characters.
    text: String,
    /// What is wrong with it.
    reason: &'static str,
}

impl ScopeError {
    /// What would be right.
    pub fn hint(&self) -> &'static str {
        "write instance, org:NAME, repo:OWNER/NAME or user"
    }
}

impl Scope {
    /// Reads `instance`, `org:acme`, `repo:acme/web` or `user`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let refuse = |reason| ScopeError { text: text.chars().take(80).collect(), reason };
        let name = |part: &str| {
            check_name(part).map_err(refuse)?;
            Ok(part.to_owned())
        };
        match text.split_once(':') {
            None if text == "instance" => Ok(Self::Instance),
            None if text == "user" => Ok(Self::User),
            Some(("org", organization)) => Ok(Self::Organization(name(organization)?)),
            Some(("repo", path)) => {
                let (owner, repository) =
                    path.split_once('/').ok_or_else(|| refuse("a repository needs its owner, as in repo:acme/web"))?;
                Ok(Self::Repository { owner: name(owner)?, name: name(repository)? })
            }
            Some(("instance" | "user", _)) => Err(refuse("this kind of scope takes no name")),
            _ => Err(refuse("its kind is unknown")),
        }
    }

    /// The repository of that full name, `owner/name`, as the forge writes it.
    pub fn of_repository(full_name: &str) -> Result<Self, ScopeError> {
        Self::parse(&format!("repo:{full_name}"))
    }

    /// Where its Actions endpoints live below `/api/v1`, encoded: `/admin`, `/orgs/acme`, `/repos/acme/web`, `/user`.
    pub fn path_prefix(&self) -> String {
        match self {
            Self::Instance => "/admin".to_owned(),
            Self::Organization(name) => format!("/orgs/{}", encode(name)),
            Self::Repository { owner, name } => format!("/repos/{}/{}", encode(owner), encode(name)),
            Self::User => "/user".to_owned(),
        }
    }

    /// Whether a runner that is listed for this scope is registered in it, and not in what it belongs to or in what
    /// belongs to it (protocol 1.4).
    pub fn owns(&self, runner: &crate::Runner) -> bool {
        match self {
            Self::Instance => runner.owner_id == 0 && runner.repo_id == 0,
            Self::Organization(_) | Self::User => runner.owner_id != 0 && runner.repo_id == 0,
            Self::Repository { .. } => runner.repo_id != 0,
        }
    }

    /// How much it takes in, for choosing among scopes that cover the same job: 0 is the narrowest (a repository), an
    /// organization and a user are alike, the instance is the widest.
    pub fn narrowness(&self) -> u8 {
        match self {
            Self::Repository { .. } => 0,
            Self::Organization(_) | Self::User => 1,
            Self::Instance => 2,
        }
    }
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

/// Refuses what cannot be one segment of a path: `.` and `..` would climb, even when encoded.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a name is missing");
    }
    if name == "." || name == ".." {
        return Err("`.` and `..` are no names");
    }
    if name.chars().any(|c| c == '/' || c == '\\' || c.is_whitespace() || c.is_control()) {
        return Err("a name holds a slash, a blank or a control character");
    }
    Ok(())
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Organization(name) => write!(f, "org:{name}"),
            Self::Repository { owner, name } => write!(f, "repo:{owner}/{name}"),
            Self::User => f.write_str("user"),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn each_scope_keeps_its_text_and_has_its_path() {
        for (text, path, narrowness) in [
            ("instance", "/admin", 2),
            ("org:acme", "/orgs/acme", 1),
            ("repo:acme/web.site", "/repos/acme/web.site", 0),
            ("user", "/user", 1),
            ("repo:ä?/b#%", "/repos/%C3%A4%3F/b%23%25", 0),
        ] {
            let scope = Scope::parse(text).unwrap();
            assert_eq!(scope.to_string(), text);
            assert_eq!(scope.path_prefix(), path);
            assert_eq!(scope.narrowness(), narrowness);
        }
    }

    #[test]
    fn what_is_no_scope_is_refused_with_a_hint() {
        for text in [
            "",
            "org",
            "org:",
            "repo:web",
            "repo:a/b/c",
            "repo:/b",
            "repo:../b",
            "user:me",
            "team:x",
            "org:a b",
            "Org:a",
        ] {
            let error = Scope::parse(text).unwrap_err();
            assert!(
                error.to_string().contains("is no scope: ") && error.hint().contains("org:NAME"),
                "{text}: {error}"
            );
        }
    }
}
