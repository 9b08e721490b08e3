//! What a pool keeps ready without a job: how many now, and whether any can be made.

use backend_docker::Mode;
use jiff::Timestamp;
use planner::report::counted;

use super::finding::Finding;
use crate::config::{DockerSettings, Pool};

/// More windows than a week can have, so that the next one with another count is found if there is any.
const MOST_CHANGES: usize = 1000;

/// What is to be said of a pool that keeps machines ready, at a moment.
pub(super) fn check(docker: &DockerSettings, pool: &Pool, at: Timestamp) -> Vec<Finding> {
    let usual = pool.policy.warm.count;
    if usual.max(pool.schedule.peak()) == 0 {
        return Vec::new();
    }
    let subject = format!("pool {}", pool.policy.id);
    let mut findings = vec![Finding::ok(&subject, kept(pool, at))];
    findings.extend(without_image(&subject, docker, pool));
    findings
}

fn kept(pool: &Pool, at: Timestamp) -> String {
    let count = |at| pool.schedule.count(pool.policy.warm.count, at);
    let now = count(at);
    let kept = |count: u32| counted(count as usize, "machine");
    let mut change = pool.schedule.next_change(at);
    for _ in 0..MOST_CHANGES {
        match change {
            Some(next) if count(next) == now => change = pool.schedule.next_change(next),
            _ => break,
        }
    }
    let zone = pool.schedule.windows.first().map(|window| &window.zone);
    match change.zip(zone).filter(|(next, _)| count(*next) != now) {
        None => format!("keeps {} ready without a job", kept(now)),
        Some((next, zone)) => format!(
            "keeps {} ready without a job until {} ({}), then {}",
            kept(now),
            zone.to_datetime(next).strftime("%Y-%m-%d %H:%M"),
            zone.iana_name().unwrap_or("UTC"),
            count(next),
        ),
    }
}

/// Those for which nobody has asked lately are made from the image of the pool's first label.
fn without_image(subject: &str, docker: &DockerSettings, pool: &Pool) -> Option<Finding> {
    let first = pool.policy.labels.first()?;
    let has_one = docker.image.is_some() || matches!(docker.mode, Mode::Nested { .. });
    if has_one || first.environment().image().is_some() {
        return None;
    }
    let name = first.name();
    let message = format!("no machine can be kept ready for its first label, {name}, which names no image");
    Some(Finding::error(subject, message).hint(format!(
        "write the label as {name}:docker://IMAGE, put a label with an image first, or give the backend an `image`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::config::tests::{Place, surroundings};
    use crate::config::{BackendKind, Config};

    /// What is found of a pool with these labels and lines, at noon of a Friday.
    fn found(labels: &str, lines: &str) -> Vec<Finding> {
        let place = Place::new();
        let text = format!(
            "deployment = \"d\"\ntimezone = \"Europe/Berlin\"\n[[forge]]\nurl = \"https://forge.example\"\n\
             token_file = \"token\"\nscopes = [\"org:acme\"]\n[backend.b]\nkind = \"docker\"\n[[pool]]\nname = \"p\"\n\
             labels = {labels}\nbackend = \"b\"\nmax = 9\n{lines}"
        );
        let parsed = Config::parse(&text, place.path(), &surroundings(&place));
        let config = parsed.unwrap_or_else(|problems| panic!("{problems:#?}"));
        let BackendKind::Docker(docker) = &config.backends.values().next().unwrap().kind else {
            panic!("another kind")
        };
        check(docker, &config.pools[0], "2026-07-31T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn how_many_are_kept_ready_is_told_with_the_next_change() {
        let node = "[\"node:docker://node:22\"]";
        assert_eq!(found(node, ""), []);
        let window = "[[pool.warm_schedule]]\nfrom = \"08:00\"\nto = \"18:00\"";
        for (lines, expected) in [
            ("warm = 1".to_owned(), "keeps 1 machine ready without a job"),
            (
                format!("{window}\nwarm = 3"),
                "keeps 3 machines ready without a job until 2026-07-31 18:00 (Europe/Berlin), then 0",
            ),
            (
                // Nothing changes at the next window's beginning, but at its end.
                format!(
                    "warm = 2\n{window}\nwarm = 2\n[[pool.warm_schedule]]\ndays = \"sun\"\nfrom = \"10:00\"\nto = \"11:00\"\nwarm = 4"
                ),
                "keeps 2 machines ready without a job until 2026-08-02 10:00 (Europe/Berlin), then 4",
            ),
            (format!("warm = 2\n{window}\nwarm = 2"), "keeps 2 machines ready without a job"),
        ] {
            let findings = found(node, &lines);
            let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
            assert_eq!((finding.verdict, finding.message.as_str()), (Verdict::Ok, expected));
        }
    }

    #[test]
    fn a_first_label_without_an_image_is_an_error_where_machines_are_to_be_ready_for_it() {
        let is_refused = |labels: &str, lines: &str| {
            found(labels, lines)
                .iter()
                .any(|finding| finding.verdict == Verdict::Error && finding.message.contains("gpu"))
        };
        assert!(is_refused("[\"gpu:host\", \"node:docker://node:22\"]", "warm = 1"));
        assert!(!is_refused("[\"gpu:host\", \"node:docker://node:22\"]", "warm = 0"));
        assert!(!is_refused("[\"node:docker://node:22\", \"gpu:host\"]", "warm = 1"));
    }
}
