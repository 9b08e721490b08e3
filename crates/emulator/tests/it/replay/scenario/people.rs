//! Who and what was there before the first recorded exchange.

use std::collections::BTreeMap;

use forge_model::{Category, Forge, RepoId, TokenScope, TokenSpec};

use crate::replay::Case;

/// Repositories in the order in which the recorded ones were made, so that their numbers agree. Those of no recorded case
/// are named `idle`.
const REPOSITORIES: [(&str, &str); 31] = [
    ("alice", "app"),
    ("alice", "empty"),
    ("acme", "web"),
    ("acme", "private"),
    ("alice", "needs"),
    ("alice", "forms"),
    ("alice", "many"),
    ("alice", "rerun"),
    ("alice", "unitoff"),
    ("alice", "archived"),
    ("alice", "life"),
    ("alice", "fetch"),
    ("alice", "idle"),
    ("alice", "fetchtask"),
    ("alice", "conc"),
    ("alice", "hooks"),
    ("alice", "runs"),
    ("alice", "ifs"),
    ("alice", "dyn"),
    ("alice", "unit"),
    ("alice", "moved"),
    ("alice", "jobtoken"),
    ("alice", "oldname"),
    ("alice", "arch2"),
    ("alice", "gone"),
    ("alice", "poison"),
    ("alice", "idle2"),
    ("alice", "restcancel"),
    ("alice", "idle3"),
    ("alice", "restart"),
    ("alice", "speedpush"),
];

/// Users, organization, repositories, and an access token for every placeholder in the recording.
pub(super) fn people(forge: &mut Forge, cases: &[Case]) -> BTreeMap<&'static str, RepoId> {
    let boss = forge.create_user("boss", true);
    let alice = forge.create_user("alice", false);
    let carol = forge.create_user("carol", false);
    let dave = forge.create_user("dave", false);
    forge.create_user("bob", false);
    let acme = forge.create_organization("acme", &[alice]);
    let repositories: BTreeMap<&'static str, RepoId> = REPOSITORIES
        .into_iter()
        .map(|(owner, name)| {
            let owner = if owner == "acme" { acme } else { alice };
            (name, forge.create_repository(owner, name, name == "private").expect("an owner"))
        })
        .collect();
    forge.add_collaborator(repositories["app"], carol).expect("a repository");
    forge.create_team(&[dave], &[repositories["web"]]).expect("a repository");
    for case in cases {
        let header = case.request_headers.get("Authorization").map(String::as_str).unwrap_or_default();
        if let Some(text) = header.split(' ').nth(1).filter(|text| is_described(text)) {
            access_token(forge, text);
        }
    }
    for (user, name) in [(boss, "boss"), (alice, "alice")] {
        forge.set_password(user, &password(name)).expect("a user");
    }
    repositories
}

/// The password of a user.
pub(crate) fn password(user: &str) -> String {
    format!("password of {user}")
}

/// Whether a placeholder says whose token it is and what it allows; others stand for tokens made in a recorded case.
fn is_described(text: &str) -> bool {
    text.strip_prefix("PAT-").is_some_and(|rest| rest.contains('_'))
}

/// Makes the access token that a placeholder describes: `PAT-<user>_<scopes>`.
fn access_token(forge: &mut Forge, text: &str) {
    let (user, scopes) = text["PAT-".len()..].split_once('_').expect("user and scopes");
    let user = forge.owner_named(user).expect("a known user").id;
    let categories = [Category::Admin, Category::Organization, Category::Repository, Category::User, Category::Misc];
    let category = |word: &str| categories.into_iter().find(|known| known.word() == word).expect("a category");
    let scopes_of_token = match scopes.split_once('_') {
        Some(("read", word)) => vec![TokenScope::Read(category(word))],
        Some(("write", word)) => vec![TokenScope::Write(category(word))],
        Some(("admin", "user")) => vec![TokenScope::Write(Category::Admin), TokenScope::Write(Category::User)],
        _ => vec![TokenScope::All],
    };
    let public_only = scopes == "public_only";
    let spec = TokenSpec { public_only, ..TokenSpec::new(&scopes_of_token).with_text(text) };
    forge.create_token(user, spec).expect("a user");
}
