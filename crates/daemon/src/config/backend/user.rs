//! `user` and `users`: who runners and their jobs run as.

use std::collections::BTreeSet;

use backend_host::{RunAs, User};

use crate::config::Surroundings;
use crate::config::problem::Complaint;
use crate::config::read::Section;
use crate::config::value::{Words, quoted};

/// The choice, and how many machines it has room for, if that is limited.
pub(super) fn read(
    section: &Section<'_>,
    surroundings: &Surroundings,
    max: Option<u32>,
) -> Option<(RunAs, Option<u32>)> {
    let mut one = None;
    section.optional("user", |text: &String| find(text, surroundings).map(|user| one = Some(user)));
    let users = section.optional("users", |Words(texts)| {
        if texts.is_empty() {
            let complaint = Complaint::new("is empty");
            return Err(complaint.hint("name as many users as there may be machines: [\"ci-1\", \"ci-2\"]"));
        }
        if !surroundings.root {
            let complaint = Complaint::new("only root can run each machine as another user, and this is not root");
            return Err(complaint.hint("leave it out: jobs then run as the daemon's own user"));
        }
        Ok(())
    });
    let several = users.as_ref().and_then(|Words(texts)| several(section, texts, surroundings));
    let both = section.get("user").is_some() && section.get("users").is_some();
    if both {
        section.complain("users", Complaint::new("stands beside `user`").hint("only one of the two can hold"));
    }
    let neither = section.get("user").is_none() && section.get("users").is_none();
    if neither && surroundings.root {
        let complaint = Complaint::new("is missing: as root, jobs would run as root, and could read every secret");
        section.complain(
            "user",
            complaint.hint("name a user for jobs: user = \"ci\"; or user = \"root\" if that is what you want"),
        );
        return None;
    }
    if both {
        return None;
    }
    if users.is_some() {
        let several = several?;
        let room = u32::try_from(several.len()).unwrap_or(u32::MAX);
        if max.is_some_and(|max| max > room) {
            let reason = format!("is more than there are `users` ({room}): each has one machine at a time");
            section.complain("max", Complaint::new(reason).hint("name more users, or lower `max`"));
        }
        return Some((RunAs::OnePerMachine(several), Some(room)));
    }
    match one {
        Some(user) if !user.is_root() && !user.is_ours() => Some((RunAs::One(user), None)),
        Some(_) => Some((RunAs::Daemon, None)),
        None => neither.then_some((RunAs::Daemon, None)),
    }
}

/// The users of `users`; nothing where one is wrong, after each of these was told.
fn several(section: &Section<'_>, texts: &[String], surroundings: &Surroundings) -> Option<Vec<User>> {
    let mut several: Vec<User> = Vec::new();
    let mut are_whole = true;
    for (value, text) in section.get("users")?.elements().into_iter().zip(texts) {
        let found = find(text, surroundings).and_then(|user| {
            if several.iter().any(|other| other.uid == user.uid) {
                let complaint = Complaint::new(format!("{} is there twice", quoted(text)));
                return Err(complaint.hint("name each user once: it has one machine at a time"));
            }
            if user.is_root() {
                return Err(Complaint::new("root can read what every other job has").hint("name plain users"));
            }
            Ok(user)
        });
        match found {
            Ok(user) => several.push(user),
            Err(complaint) => {
                value.complain(complaint);
                are_whole = false;
            }
        }
    }
    are_whole.then_some(several)
}

fn find(text: &str, surroundings: &Surroundings) -> Result<User, Complaint> {
    let user = surroundings.user(text).map_err(|error| {
        Complaint::new(backend::chain(&error)).hint(format!("make it: useradd --system --no-create-home {text}"))
    })?;
    if !surroundings.root && !user.is_ourselves() {
        let reason = format!("only root can run jobs as {}, and this is not root", quoted(text));
        return Err(Complaint::new(reason).hint("leave it out: jobs then run as the daemon's own user"));
    }
    Ok(user)
}

/// A user that one of the two has for one machine at a time, and the other has too.
pub(super) fn shared<'a>(one: &'a RunAs, other: &'a RunAs) -> Option<&'a User> {
    let apart = [one, other].iter().any(|run_as| matches!(run_as, RunAs::OnePerMachine(_)));
    let others: BTreeSet<u32> = other.users().iter().map(|user| user.uid).collect();
    one.users().iter().find(|user| apart && others.contains(&user.uid))
}
