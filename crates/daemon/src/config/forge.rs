//! `[[forge]]`: a Forgejo server, how it is reached, and the scopes watched there.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use forgejo::Scope;
use planner::ids::{ForgeId, ScopeId, ScopeKey};
use reqwest::Url;
use secrecy::SecretString;
use toml::de::DeValue;

use super::Surroundings;
use super::problem::Complaint;
use super::read::{MISSING, Section, Value, any};
use super::secret::{Token, token};
use super::shape::Shape;
use super::value::{Readable, at_least, quoted, quoted_list};

/// How often job lists are read (design section 8: a real server answers in 5 ms, and its webhooks arrive later than such
/// a poll).
const INTERVAL: Duration = Duration::from_secs(3);

/// More often than this nothing is gained: it is what a server with a thousand jobs takes to answer, four times.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// What codeberg.org asks for (protocol 1.9).
pub(super) const CODEBERG_INTERVAL: Duration = Duration::from_secs(30);

/// One Forgejo server.
#[derive(Debug)]
pub struct Forge {
    /// Its identity: the same for every way to write its URL. Machines carry it, so it must not depend on a slash.
    pub id: ForgeId,
    /// Where its API is; without a trailing slash in the path's end beyond the root's own.
    pub url: Url,
    /// Where jobs reach it: `url`, unless the configuration says otherwise.
    pub runner_url: Url,
    /// Further certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How often the jobs of each scope are listed.
    pub interval: Duration,
    /// The scopes, in the order of the file; never empty.
    pub scopes: Vec<WatchedScope>,
}

/// One scope with the token that is used for it.
#[derive(Debug)]
pub struct WatchedScope {
    /// Its key in plans and reports.
    pub key: ScopeKey,
    /// The scope itself.
    pub scope: Scope,
    /// The token for it.
    pub token: SecretString,
    /// Whether each runner is registered at its job's repository instead of the scope itself.
    pub at_repository: bool,
    /// The file that the token was read from, if it was one: it is read again while the daemon runs.
    pub token_file: Option<PathBuf>,
}

/// A URL of a forge. Scheme and host are in lower case, and a port that is the scheme's own is left out: the parser of URLs
/// sees to that (<https://url.spec.whatwg.org/>).
#[derive(Debug, Clone, PartialEq, Eq)]
struct ForgeUrl(Url);

impl ForgeUrl {
    /// As text without a trailing slash.
    fn text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The forge's identity: the only place where one is made.
    fn id(&self) -> ForgeId {
        ForgeId::new(self.text())
    }
}

/// How a scope is told apart from others: Forgejo's names differ by more than letter case.
fn scope_id(scope: &Scope) -> ScopeId {
    ScopeId::new(scope.to_string().to_lowercase())
}

/// Whether a URL leads to codeberg.org, under whichever of its names.
pub(super) fn is_codeberg(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "codeberg.org" || host.ends_with(".codeberg.org"))
}

impl Readable for ForgeUrl {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = String::read(value)?;
        let wrong = |reason: String| Complaint::new(format!("{}: {reason}", quoted(&text)));
        let mut url = Url::parse(&text)
            .map_err(|error| wrong(error.to_string()).hint("write the whole URL, like \"https://forge.example\""))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("is neither http nor https".to_owned())
                .hint("write it as a browser has it, like \"https://forge.example\""));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: what stands there may be a password.
            return Err(Complaint::new("has a user or a password in it").hint("give a token with token_file"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or a fragment".to_owned()).hint("give the address of the forge alone"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.ends_with("/api/v1") {
            return Err(wrong("is the address of the API".to_owned()).hint("leave out /api/v1"));
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    fn shown(&self) -> String {
        quoted(self.text())
    }
}

/// All `[[forge]]` tables, as far as they are usable.
pub(super) fn read(root: &Section<'_>, surroundings: &Surroundings) -> Vec<Forge> {
    let sections = root.sections("forge");
    if root.get("forge").is_none() {
        root.missing("forge", "[[forge]] with url, token_file and scopes");
    }
    let mut seen = BTreeSet::new();
    sections.into_iter().filter_map(|section| forge(section, &mut seen, surroundings)).collect()
}

fn forge(section: Section<'_>, seen: &mut BTreeSet<String>, surroundings: &Surroundings) -> Option<Forge> {
    let url: Option<ForgeUrl> = section.required("url", "url = \"https://forge.example\"", |url: &ForgeUrl| {
        if seen.insert(url.text().to_owned()) {
            return Ok(());
        }
        let complaint = Complaint::new(format!("{} is there twice", quoted(url.text())));
        Err(complaint.hint("put all scopes of a forge into one [[forge]]"))
    });
    let runner_url: Option<ForgeUrl> = section.optional("runner_url", any);
    let own_token = token(&section, surroundings);
    let ca_file = section.optional("ca_file", |path: &PathBuf| readable_certificates(path));
    let codeberg = url.as_ref().is_some_and(|url| is_codeberg(&url.0));
    let interval = interval(&section, codeberg);
    let scopes = scopes(&section, url.as_ref(), &own_token, surroundings);
    section.close();
    let url = url?;
    Some(Forge {
        id: url.id(),
        runner_url: runner_url.map_or_else(|| url.0.clone(), |url| url.0),
        url: url.0,
        ca_file,
        interval,
        scopes,
    })
}

fn interval(section: &Section<'_>, codeberg: bool) -> Duration {
    if !codeberg {
        return section.or("interval", INTERVAL, at_least(LEAST_INTERVAL));
    }
    section.or("interval", CODEBERG_INTERVAL, |span| {
        at_least(CODEBERG_INTERVAL)(span).map_err(|complaint| complaint.hint("codeberg.org asks for 30s or more"))
    })
}

fn readable_certificates(path: &Path) -> Result<(), Complaint> {
    let unreadable = |error| {
        Complaint::new(format!("cannot read {}: {error}", path.display()))
            .hint("name a file in PEM that the daemon's user can read, or leave it out")
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Complaint::new(format!("{} is not a regular file", path.display()))
            .hint("name one file in PEM; several certificates may be in it"));
    }
    File::open(path).map(|_| ()).map_err(unreadable)
}

/// What is read of one element of `scopes`.
struct Listed<'a> {
    value: Value<'a>,
    scope: Option<Scope>,
    token: Token,
    at_repository: bool,
}

fn scopes(
    section: &Section<'_>,
    url: Option<&ForgeUrl>,
    forge_token: &Token,
    surroundings: &Surroundings,
) -> Vec<WatchedScope> {
    let example = "scopes = [\"org:acme\", \"repo:tools/site\"]";
    let Some(list) = section.get("scopes") else {
        section.missing("scopes", example);
        return Vec::new();
    };
    let elements = list.elements();
    if elements.is_empty() && matches!(list.raw, DeValue::Array(_)) {
        list.complain(Complaint::new("is empty").hint(format!("for example: {example}")));
    }
    let listed: Vec<Listed<'_>> = elements.into_iter().map(|value| element(value, surroundings)).collect();
    let names = listed.iter().filter_map(|listed| listed.scope.as_ref()).map(Scope::to_string);
    section.notes.set(&list.key, Some(quoted_list(names)), list.origin());

    let mut seen = BTreeSet::new();
    let mut watched = Vec::new();
    let mut lacks_token = false;
    for Listed { value, scope, token, at_repository } in listed {
        let token = match (token, forge_token) {
            (Token::Given { token, file }, _) => Some((token, file)),
            (Token::Absent, Token::Given { token, file }) => Some((token.clone(), file.clone())),
            (Token::Wrong, _) | (Token::Absent, Token::Wrong) => None,
            (Token::Absent, Token::Absent) => {
                lacks_token = true;
                None
            }
        };
        let Some(scope) = scope else { continue };
        let id = scope_id(&scope);
        if !seen.insert(id.clone()) {
            let complaint = Complaint::new(format!("{} is there twice", quoted(&scope.to_string())));
            value.complain(complaint.hint("remove one of them: letter case makes no difference to a forge"));
        }
        let (Some(url), Some((token, token_file))) = (url, token) else { continue };
        let key = ScopeKey { forge: url.id(), scope: id };
        watched.push(WatchedScope { key, scope, token, at_repository, token_file });
    }
    if lacks_token {
        let complaint = Complaint::new(format!("{MISSING} (or token_env), and a scope has none of its own"));
        section.complain("token_file", complaint.hint("for example: token_file = \"/etc/forgescale/token\""));
    }
    watched
}

fn element<'a>(value: Value<'a>, surroundings: &Surroundings) -> Listed<'a> {
    let mut at_repository = false;
    let (scope, token) = match value.raw {
        DeValue::Table(_) => value.section().map_or((None, Token::Wrong), |section| {
            let scope = section.required("scope", "scope = \"org:acme\"", any).map(|ScopeText(scope)| scope);
            let token = token(&section, surroundings);
            let place = section.or("register_at", RegisterAt::Scope, |place| register_at(*place, scope.as_ref()));
            at_repository = place == RegisterAt::Repository;
            section.close();
            (scope, token)
        }),
        DeValue::String(_) => (value.read(any).map(|ScopeText(scope)| scope), Token::Absent),
        _ => {
            value.complain(value.wrong_type("a scope").hint("write \"org:acme\" or { scope = \"org:acme\", … }"));
            (None, Token::Absent)
        }
    };
    Listed { value, scope, token, at_repository }
}

fn register_at(place: RegisterAt, scope: Option<&Scope>) -> Result<(), Complaint> {
    match (place, scope) {
        (RegisterAt::Repository, Some(Scope::Repository { .. })) => {
            Err(Complaint::new("is no choice for a scope that is a repository itself").hint("leave it out"))
        }
        _ => Ok(()),
    }
}

/// Where the runners of a scope are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RegisterAt {
    Scope,
    Repository,
}

impl Readable for RegisterAt {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        match String::read(value)?.as_str() {
            "scope" => Ok(Self::Scope),
            "repository" => Ok(Self::Repository),
            other => {
                Err(Complaint::new(format!("{} is neither", quoted(other))).hint("write \"scope\" or \"repository\""))
            }
        }
    }

    fn shown(&self) -> String {
        quoted(match self {
            Self::Scope => "scope",
            Self::Repository => "repository",
        })
    }
}

/// A scope as a setting.
struct ScopeText(Scope);

impl Readable for ScopeText {
    const SHAPE: Shape = Shape::Text;

    fn read(value: &Value<'_>) -> Result<Self, Complaint> {
        let text = String::read(value)?;
        Scope::parse(&text).map(Self).map_err(|error| Complaint::new(error.to_string()).hint(error.hint()))
    }

    fn shown(&self) -> String {
        quoted(&self.0.to_string())
    }
}
