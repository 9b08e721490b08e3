//! The repositories of a scope whose runners are registered at those: which there are, and what a token may do there,
//! tried with a few of them.

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

/// The repositories of a page, from 1, that are the scope's own; nothing behind the last page. A user's list also shows
/// those of others on which the user only works: their runners are not the user's to list.
pub(crate) async fn page(client: &Client, scope: &Scope, page: usize) -> Result<Option<Vec<i64>>, Error> {
    let listed = client.list_repositories(scope, page).await?;
    if listed.is_empty() {
        return Ok(None);
    }
    let owner = if *scope == Scope::User { client.scope_id(scope).await? } else { None };
    let own = listed.into_iter().filter(|repository| repository.is_owned_by(owner));
    Ok(Some(own.map(|repository| repository.id).collect()))
}

/// The first repositories of the scope.
pub(crate) async fn own(client: &Client, scope: &Scope) -> Result<Vec<i64>, Error> {
    Ok(page(client, scope, 1).await?.unwrap_or_default())
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
    let Ok(scope) = Scope::of_repository(&name) else { return Ok(None) };
    let lacks = client.rights(&scope).await?.lacks;
    let says_nothing = matches!(lacks[..], [Lack::ActionsUnit | Lack::Visibility]);
    Ok((!says_nothing).then_some(Tried { repository: Some(scope), lacks }))
}
