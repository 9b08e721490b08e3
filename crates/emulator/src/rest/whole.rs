//! JSON of users and repositories with all fields of the real forge. What is not modelled has the value of a fresh one.

use forge_model::{Forge, Owner, OwnerId, OwnerKind, Repository};
use serde_json::{Map, Value, json};

use super::rows::time;

/// Under which the forge's own user logs in by SSH; only shown.
const SSH_USER: &str = "forge";
/// Where people of an emulated forge get their mail; only shown, to those who signed in.
const MAIL_DOMAIN: &str = "lab.invalid";
/// A time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// Another way to say the same.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// A user as others see it, or, to himself and to site administrators, in full.
pub(super) fn user(forge: &Forge, owner: &Owner, viewer: Option<OwnerId>, in_full: bool) -> Value {
    let root = &forge.settings().root_url;
    let email = match viewer {
        Some(_) => format!("{}@{MAIL_DOMAIN}", owner.name),
        None => format!("{}@noreply.{}", owner.name, host(forge)),
    };
    json!({
        "id": owner.id.0,
        "login": owner.name,
        "login_name": "",
        "source_id": 0,
        "full_name": "",
        "email": email,
        "avatar_url": format!("{root}avatars/{:032x}", owner.id.0),
        "html_url": format!("{root}{}", owner.name),
        "language": if in_full { "en-US" } else { "" },
        "is_admin": in_full && matches!(owner.kind, OwnerKind::User { site_admin: true }),
        "last_login": if in_full { time(forge.born()) } else { NEVER.to_owned() },
        "created": time(forge.born()),
        "restricted": false,
        "active": in_full,
        "prohibit_login": false,
        "location": "",
        "pronouns": "",
        "website": "",
        "description": "",
        "visibility": "public",
        "followers_count": 0,
        "following_count": 0,
        "starred_repos_count": 0,
        "username": owner.name,
    })
}

/// A repository as the viewer sees it. Its owner is never shown in full.
pub(super) fn repository(forge: &Forge, row: &Repository, viewer: Option<OwnerId>) -> Value {
    let mut body = of_settings();
    body.extend(of_row(forge, row, viewer));
    Value::Object(body)
}

fn of_row(forge: &Forge, row: &Repository, viewer: Option<OwnerId>) -> Map<String, Value> {
    let owner = forge.owner(row.owner);
    let full_name = format!("{}/{}", owner.map_or("", |owner| &owner.name), row.name);
    let root = &forge.settings().root_url;
    let ssh = format!("ssh://{SSH_USER}@{}/{full_name}", host(forge));
    let writes = viewer.is_some_and(|viewer| forge.may_write(viewer, row));
    fields(json!({
        "id": row.id.0,
        "owner": owner.map(|owner| user(forge, owner, viewer, false)),
        "name": row.name,
        "full_name": full_name,
        "private": row.private,
        "archived": row.archived,
        "size": row.size,
        "has_actions": row.actions_enabled,
        "languages_url": format!("{root}api/v1/repos/{full_name}/languages"),
        "html_url": format!("{root}{full_name}"),
        "url": format!("{root}api/v1/repos/{full_name}"),
        "ssh_url": format!("{ssh}.git"),
        "clone_url": format!("{root}{full_name}.git"),
        "wiki_ssh_url": format!("{ssh}.wiki.git"),
        "wiki_clone_url": format!("{root}{full_name}.wiki.git"),
        "created_at": time(forge.born()),
        "updated_at": time(forge.born()),
        "permissions": { "admin": writes, "push": writes, "pull": true },
    }))
}

/// What a repository has when nobody changed its settings.
fn of_settings() -> Map<String, Value> {
    let mut body = fields(json!({
        "description": "",
        "empty": false,
        "fork": false,
        "template": false,
        "parent": null,
        "mirror": false,
        "language": "",
        "link": "",
        "original_url": "",
        "website": "",
        "default_branch": "main",
        "archived_at": EPOCH,
        "internal_tracker": {
            "enable_time_tracker": true,
            "allow_only_contributors_to_track_time": true,
            "enable_issue_dependencies": true,
        },
        "wiki_branch": "main",
        "default_merge_style": "merge",
        "default_update_style": "merge",
        "avatar_url": "",
        "mirror_interval": "",
        "object_format_name": "sha1",
        "mirror_updated": NEVER,
        "repo_transfer": null,
        "topics": [],
        "watchers_count": 1,
    }));
    for key in ["stars_count", "forks_count", "open_issues_count", "open_pr_counter", "release_counter"] {
        body.insert(key.to_owned(), json!(0));
    }
    for key in ["has_issues", "has_wiki", "has_pull_requests", "has_projects", "has_releases", "has_packages"] {
        body.insert(key.to_owned(), json!(true));
    }
    for way in
        ["merge_commits", "rebase", "rebase_explicit", "squash_merge", "fast_forward_only_merge", "rebase_update"]
    {
        body.insert(format!("allow_{way}"), json!(true));
    }
    for key in [
        "has_wiki_contents",
        "globally_editable_wiki",
        "ignore_whitespace_conflicts",
        "default_delete_branch_after_merge",
        "default_allow_maintainer_edit",
        "internal",
    ] {
        body.insert(key.to_owned(), json!(false));
    }
    body
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The host of the forge's own idea of its address, without its port.
fn host(forge: &Forge) -> &str {
    let root = &forge.settings().root_url;
    let authority = root.split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}
