//! What a token may do at the repositories of a scope, where runners are registered at those: tried with a few of them.

use std::collections::BTreeSet;

use forgejo::{Client, Error, ErrorClass, Lack, Scope};

/// A repository without Actions says nothing: then another one is tried, up to so many.
const MOST_TRIED: usize = 10;

/// One repository that tells.
#[derive(Debug)]
pub(crate) struct Tried {
    /// Which; nothing where the token may not even ask for its name.
    pub(crate) repository: Option<Scope>,
    /// What is lacking to register there.
    pub(crate) lacks: Vec<Lack>,
}

/// The first repositories of the scope, without those of others on which a user only works.
pub(crate) async fn own(client: &Client, scope: &Scope) -> Result<Vec<i64>, Error> {
    let owner = if *scope == Scope::User { client.scope_id(scope).await? } else { None };
    let listed = client.list_repositories(scope, 1).await?;
    Ok(listed.iter().filter(|repository| repository.is_owned_by(owner)).map(|repository| repository.id).collect())
}

/// The first of these that tells what the token may do; nothing when none does.
pub(crate) async fn tried(client: &Client, ids: impl IntoIterator<Item = i64>) -> Result<Option<Tried>, Error> {
    let mut seen = BTreeSet::new();
    for id in ids.into_iter().filter(|id| seen.insert(*id)).take(MOST_TRIED) {
        if let Some(tried) = tried_at(client, id).await? {
            return Ok(Some(tried));
        }
    }
    Ok(None)
}

/// One repository; nothing when it has no Actions, or has just gone.
async fn tried_at(client: &Client, id: i64) -> Result<Option<Tried>, Error> {
    let name = match client.repository(id).await {
        Ok(name) => name,
        Err(error) => {
            return match error.class() {
                ErrorClass::NotFound => Ok(None),
                ErrorClass::Forbidden { needed_scope: Some(_) } => {
                    let needed = Lack::TokenScope { needed: "write:repository".to_owned(), reads: false };
                    Ok(Some(Tried { repository: None, lacks: vec![needed] }))
                }
                _ => Err(error),
            };
        }
    };
    let Ok(scope) = Scope::parse(&format!("repo:{name}")) else { return Ok(None) };
    let lacks = client.rights(&scope).await?.lacks;
    let says_nothing = matches!(lacks[..], [Lack::ActionsUnit | Lack::Visibility]);
    Ok((!says_nothing).then_some(Tried { repository: Some(scope), lacks }))
}
