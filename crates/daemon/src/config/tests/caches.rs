//! Tests of folders that outlive machines.

use planner::ids::{BackendId, ForgeId, RepositoryKey};

use super::{Place, parse, surroundings};
use crate::config::{Config, Per, Pool, Problem};

const CONTAINERS: &str = r#"deployment = "ci"
[[forge]]
url = "https://forge.example/"
token_file = "token"
scopes = ["org:acme"]
[[pool]]
name = "node"
labels = ["node:docker://node:22"]
backend = "engine"
max = 4
[[pool.cache]]
path = "/var/cache/ci"
[backend.engine]
kind = "docker"
"#;

fn pool(text: &str) -> Pool {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}")).pools.remove(0)
}

/// `CONTAINERS` with one thing in another's place.
fn with(from: &str, to: &str) -> String {
    assert!(CONTAINERS.contains(from), "{from}");
    CONTAINERS.replacen(from, to, 1)
}

#[test]
fn each_repository_has_its_own_unless_the_pool_shares_one() {
    let text =
        with("path = \"/var/cache/ci\"", "path = \"/var/cache/ci\"\n[[pool.cache]]\npath = \"/c\"\nper = \"pool\"");
    let caches = pool(&text).caches;
    assert_eq!([caches[0].per, caches[1].per], [Per::Repository, Per::Pool]);
    let of = |repository: Option<&RepositoryKey>| {
        let made = caches.iter().filter_map(|cache| cache.of(repository));
        made.map(|cache| (cache.path, cache.repository)).collect::<Vec<_>>()
    };
    let repository = RepositoryKey { forge: ForgeId::new("https://forge.example"), id: 7 };
    let (own, shared) = (("/var/cache/ci".to_owned(), Some(repository.clone())), ("/c".to_owned(), None));
    assert_eq!(of(Some(&repository)), [own, shared.clone()]);
    assert_eq!(of(None), [shared], "a machine that may serve any repository has nothing of one");
}

#[test]
fn what_waits_is_outdated_when_the_caches_are_others() {
    let place = Place::new();
    let config = |text: &str| Config::parse(text, place.path(), &surroundings(&place)).unwrap();
    let made_of = |text: &str| config(text).pools.remove(0).policy.warm.made_of;
    let none = made_of(&with("[[pool.cache]]\npath = \"/var/cache/ci\"\n", ""));
    assert_eq!(none, config(CONTAINERS).backends[&BackendId::new("engine")].made_of);
    let (own, shared) = (made_of(CONTAINERS), made_of(&with("/ci\"", "/ci\"\nper = \"pool\"")));
    let elsewhere = made_of(&with("/var/cache/ci", "/var/cache/npm"));
    let different: std::collections::BTreeSet<_> = [&none, &own, &shared, &elsewhere].into();
    assert_eq!(different.len(), 4);
    assert_eq!(made_of(&with("kind = \"docker\"", "kind = \"docker\"\ncache_max_age = \"2d\"")), own);
}

/// The one problem of a text.
fn problem(text: &str) -> Problem {
    let found = parse(text).expect_err(text);
    let [problem] = found.as_slice() else { panic!("{text}: {found:#?}") };
    problem.clone()
}

#[test]
fn each_mistake_has_its_place_and_a_way_out() {
    let again = "path = \"/var/cache/ci\"\n[[pool.cache]]\npath = \"/var/cache/ci\"";
    let window = "max = 4\n[[pool.warm_schedule]]\nfrom = \"08:00\"\nto = \"18:00\"\ntimezone = \"UTC\"\nwarm = 3";
    let socket = "/var/run/docker.sock\"\n[backend.engine]\nkind = \"docker\"\nmode = \"socket\"";
    for (from, to, line, key, words) in [
        ("path = \"/var/cache/ci\"\n", "", 11, "cache[0].path", "is missing"),
        ("/var/cache/ci", "var/cache/ci", 12, "cache[0].path", "no folder of a container"),
        ("/var/cache/ci", "/", 12, "cache[0].path", "no folder of a container"),
        ("/var/cache/ci", "/var/../etc", 12, "cache[0].path", "no folder of a container"),
        ("/var/cache/ci", "/var/./cache", 12, "cache[0].path", "no folder of a container"),
        ("/var/cache/ci", "/var/cache/ci/", 12, "cache[0].path", "without a slash at its end"),
        ("/var/cache/ci", "/.forgescale", 12, "cache[0].path", "where the runner is"),
        ("/var/cache/ci", "/.forgescale/x", 12, "cache[0].path", "where the runner is"),
        ("/ci\"", "/ci\"\nper = \"job\"", 13, "cache[0].per", "\"repository\" or \"pool\""),
        ("/ci\"", "/ci\"\nmax_age = \"1h\"", 13, "cache[0].max_age", "not a known key"),
        ("path = \"/var/cache/ci\"", again, 14, "cache[1].path", "is there twice"),
        ("max = 4", "max = 4\nwarm = 1", 12, "cache[0].per", "per = \"pool\""),
        ("max = 4", window, 16, "cache[0].per", "before it is known which repository"),
        ("\"docker\"", "\"docker\"\nmode = \"nested\"", 11, "cache[0]", "their own engine"),
        ("\"docker\"", "\"docker\"\ntmpfs = [\"/var/cache/ci\"]", 12, "cache[0].path", "is in memory"),
        ("\"docker\"", "\"docker\"\ntmpfs = [\"/var/cache/ci/:size=1g\"]", 12, "cache[0].path", "is in memory"),
        ("/var/cache/ci\"\n[backend.engine]\nkind = \"docker\"", socket, 12, "cache[0].path", "the engine's socket"),
        ("kind = \"docker\"", "kind = \"host\"", 11, "cache[0]", "kind docker or podman"),
        ("[[pool.cache]]", "[pool.cache]", 11, "cache", "write [[pool.cache]]"),
    ] {
        let problem = problem(&with(from, to));
        let said = format!("{} / {}", problem.reason, problem.hint);
        assert_eq!((problem.line, problem.key), (line, format!("pool[0].{key}")), "{to}: {said}");
        assert!(said.contains(words) && !problem.hint.is_empty(), "{to}: {said}");
    }
    let many: Vec<String> = (0..17).map(|number| format!("[[pool.cache]]\npath = \"/c{number}\"\n")).collect();
    let many = many.concat();
    let problem = problem(&with("[[pool.cache]]\npath = \"/var/cache/ci\"\n", &many));
    assert!(problem.reason.contains("more than 16"), "{problem:?}");
}

#[test]
fn where_no_job_has_the_engines_socket_a_folder_may_be_there() {
    assert_eq!(pool(&with("/var/cache/ci", "/var/run/docker.sock")).caches.len(), 1);
    let beside = with("/var/cache/ci", "/var/run/docker.socket").replace("\"docker\"", "\"docker\"\nmode = \"socket\"");
    assert_eq!(pool(&beside).caches.len(), 1);
}

#[test]
fn a_pool_that_shares_its_caches_may_keep_machines_ready() {
    let text = with("/ci\"", "/ci\"\nper = \"pool\"").replace("max = 4", "max = 4\nwarm = 1");
    assert_eq!(pool(&text).policy.warm.count, 1);
}
