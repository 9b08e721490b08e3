//! Tests of the configuration as a whole.

mod caches;
mod containers;
mod identities;
mod mistakes;
mod warm;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use planner::ids::{BackendId, ScopeId};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use backend_host::{Limits, RunAs, User, UserError};

use super::{BackendKind, Config, ConfigError, Origin, Problem, Surroundings, state_directory};

/// A folder with tokens, a certificate and a runner program.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        for (name, text) in [
            ("token", "t0ken\n"),
            ("token-site", "s1te"),
            ("cache-secret", "hidden"),
            ("ca.pem", "PEM"),
            ("forgejo-runner", "#!"),
        ] {
            place.write(name, text, 0o600);
        }
        place.write("forgejo-runner", "#!", 0o700);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path().join(name), text).unwrap();
        fs::set_permissions(self.path().join(name), Permissions::from_mode(mode)).unwrap();
    }
}

/// Those of an ordinary user whose PATH is the place.
pub(crate) fn surroundings(place: &Place) -> Surroundings {
    let variables: BTreeMap<&str, String> = [
        ("PATH", place.path().display().to_string()),
        ("HOME", "/home/someone".to_owned()),
        ("FORGESCALE_TOKEN", "from-environment".to_owned()),
        ("FORGESCALE_TOKEN_USER", "users-own".to_owned()),
    ]
    .into();
    Surroundings::new(move |name| variables.get(name).cloned(), false).with_users(own_user)
}

/// Knows `ci`, `ci-1` and so on, each with the numbers of whoever runs the test; and `ci-elsewhere`, of another group.
fn own_user(name: &str) -> Result<User, UserError> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if !name.starts_with("ci") {
        return Err(UserError::Unknown { text: name.to_owned() });
    }
    let gid = if name == "ci-elsewhere" { gid + 1 } else { gid };
    Ok(User { name: name.to_owned(), uid, gid, groups: Vec::new() })
}

/// Those of root, on a host with users that are nobody else.
pub(super) fn roots(place: &Place) -> Surroundings {
    let plain = |name: &str, uid: u32| Ok(User { name: name.to_owned(), uid, gid: uid, groups: Vec::new() });
    let users = move |name: &str| match name {
        "root" => User::look_up("0:0"),
        "ci" => plain(name, 4_000_000),
        other => match other.strip_prefix("ci-").and_then(|number| number.parse::<u32>().ok()) {
            Some(number) => plain(name, 4_000_010 + number),
            None => User::look_up(other),
        },
    };
    let mut surroundings = surroundings(place).with_users(users);
    surroundings.root = true;
    surroundings
}

const SMALL: &str = r#"deployment = "ci-berlin"
[[forge]]
url = "https://forge.example/"
token_file = "token"
scopes = ["org:acme", "repo:tools/site"]
[[pool]]
name = "debian"
labels = ["debian:docker://node:22-bookworm", "tools:host"]
backend = "here"
max = 4
[backend.here]
kind = "host"
"#;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let place = Place::new();
    Config::parse(text, place.path(), &surroundings(&place))
}

/// Line, key and reason of each problem of `SMALL` with some lines replaced.
fn problems(replacements: &[(&str, &str)]) -> Vec<(usize, String, String)> {
    let text = replacements.iter().fold(SMALL.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let problems = parse(&text).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.line, problem.key, problem.reason)).collect()
}

/// Checks that `SMALL` with one replacement has one problem, at `line` and `key`, with `words` in its reason or hint.
fn check_problem(from: &str, to: &str, line: usize, key: &str, words: &str) {
    let found = parse(&SMALL.replace(from, to)).expect_err(to);
    let [problem] = found.as_slice() else { panic!("{to}: {found:#?}") };
    assert_eq!((problem.line, problem.key.as_str()), (line, key), "{to}: {problem:?}");
    let said = format!("{} / {}", problem.reason, problem.hint);
    assert!(!problem.hint.is_empty() && said.contains(words), "{to}: {said}");
}

#[test]
fn a_small_file_is_enough() {
    let config = parse(SMALL).unwrap();
    assert_eq!(config.deployment.as_str(), "ci-berlin");
    assert_eq!(config.state_directory, Path::new("/home/someone/.local/state/forgescale"));
    assert_eq!(config.runtime_directory, None);
    let forge = &config.forges[0];
    assert_eq!(forge.id.as_str(), "https://forge.example");
    assert_eq!(forge.scopes[1].key.scope, ScopeId::new("repo:tools/site"));
    assert_eq!(forge.scopes[0].token.expose_secret(), "t0ken");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    let policy = config.policy();
    let widths: Vec<u8> = policy.scopes.values().map(|scope| scope.width).collect();
    assert_eq!(widths, [1, 0]);
    let pool = &policy.pools[0];
    assert_eq!(pool.clocks.boot, Duration::from_mins(2));
    assert_eq!(pool.clocks.claim, Duration::from_secs(15));
    assert!(policy.backends.contains_key(&BackendId::new("here")));
}

#[test]
fn five_mistakes_are_five_problems_in_the_order_of_their_lines() {
    let found = problems(&[
        ("ci-berlin", "CI Berlin"),
        ("scopes =", "scops ="),
        ("max = 4", "max = \"4\""),
        ("\"here\"", "\"her\""),
        ("kind = \"host\"", "kind = \"vm\""),
    ]);
    let expected = [
        (1, "deployment", "\"CI Berlin\" is no name of a deployment"),
        (5, "forge[0].scops", "is not a known key"),
        (9, "pool[0].backend", "there is no backend \"her\""),
        (10, "pool[0].max", "expected a whole number, found a string"),
        (12, "backend.here.kind", "\"vm\" is no kind of backend of this version"),
    ];
    let expected: Vec<_> = expected.map(|(line, key, reason)| (line, key.to_owned(), reason.to_owned())).into();
    assert_eq!(found, expected);
}

#[test]
fn each_mistake_has_its_line_and_a_way_out() {
    check_problem("[[pool]]", "[pool]", 6, "pool", "write [[pool]]");
    check_problem("scopes =", "intervall = \"3s\"\nscopes =", 5, "forge[0].intervall", "did you mean `interval`?");
    check_problem("https://forge.example/", "ftp://forge.example", 3, "forge[0].url", "neither http nor https");
    check_problem("https://forge.example/", "https://f.example/?a=b", 3, "forge[0].url", "a query");
    check_problem("https://forge.example/", "https://a:b@f.example", 3, "forge[0].url", "a password");
    check_problem("https://forge.example/", "forge.example", 3, "forge[0].url", "write the whole URL");
    check_problem("token_file = \"token\"\n", "", 2, "forge[0].token_file", "is missing");
    check_problem("\"token\"\n", "\"token\"\ntoken_env = \"A\"\n", 5, "forge[0].token_env", "only one of the two");
    check_problem("\"token\"", "\"no-such-file\"", 4, "forge[0].token_file", "cannot read");
    check_problem("_file = \"token\"", "_env = \"NOT_SET\"", 4, "forge[0].token_env", "is not set");
    check_problem("\"org:acme\"", "\"team:acme\"", 5, "forge[0].scopes[0]", "no scope");
    check_problem("\"org:acme\"", "\"repo:Tools/site\"", 5, "forge[0].scopes[1]", "is there twice");
    check_problem("tools:host", "tools:vm", 8, "pool[0].labels[1]", "unknown schema");
    check_problem("tools:host", "debian:host", 8, "pool[0].labels[1]", "is there twice");
    check_problem("max = 4", "max = 4\nclaim = \"1s\"", 11, "pool[0].claim", "less than 2s");
    check_problem("max = 4", "max = 4\nrun = 3", 11, "pool[0].run", "like \"90s\" or \"3h\"");
    check_problem("max = 4", "max = -1", 10, "pool[0].max", "not between 0");
    check_problem(
        "kind = \"host\"",
        "kind = \"host\"\nrunner = \"./nothing\"",
        13,
        "backend.here.runner",
        "cannot find",
    );
    check_problem(
        "kind = \"host\"",
        "kind = \"host\"\nenvironment = { HOME = \"/\" }",
        13,
        "backend.here.environment.HOME",
        "a folder of its own",
    );
    for (line, key, words) in [
        ("user = \"root\"", "user", "there is no user \"root\""),
        ("user = \"4000000:1\"", "user", "there is no user"),
        ("memory = \"1MiB\"", "memory", "less than \"64MiB\""),
        ("cpus = 0", "cpus", "no number of processors"),
        ("cpus = \"2\"", "cpus", "expected a number"),
        ("pids = 3", "pids", "less than 32"),
        ("pass_environment = [\"HOME\"]", "pass_environment", "a folder of its own"),
        ("pass_environment = [\"A B\"]", "pass_environment", "no name of a variable"),
        ("cache_url = \"http://cache:1\"", "cache_secret_file", "needs both"),
        ("cache_secret_file = \"token\"", "cache_url", "needs both"),
        ("cache_url = \"cache:1\"\ncache_secret_file = \"token\"", "cache_url", "neither http"),
        ("cache_url = \"http://c\"\ncache_secret_file = \"none\"", "cache_secret_file", "cannot find"),
    ] {
        let at = if words == "needs both" {
            11
        } else if words == "cannot find" {
            14
        } else {
            13
        };
        check_problem(
            "kind = \"host\"",
            &format!("kind = \"host\"\n{line}"),
            at,
            &format!("backend.here.{key}"),
            words,
        );
    }
    check_problem("[[pool]]", "[limits]\npark = \"7h\"\n[[pool]]", 6, "limits.park_max", "less than park");
    check_problem("deployment = \"ci-berlin\"", "deployment = ci-berlin", 1, "", "in quotes");
}

/// The backend of `SMALL` with further lines, read as root.
fn host_as_root(lines: &str) -> Result<(RunAs, Limits, Option<u32>), Vec<Problem>> {
    let place = Place::new();
    let text = SMALL.replace("kind = \"host\"", &format!("kind = \"host\"\n{lines}"));
    let config = Config::parse(&text, place.path(), &roots(&place))?;
    let backend = &config.backends[&BackendId::new("here")];
    let BackendKind::Host(host) = &backend.kind else { panic!("another kind") };
    Ok((host.run_as.clone(), host.limits, backend.max))
}

#[test]
fn root_says_who_jobs_run_as() {
    let problems = host_as_root("").unwrap_err();
    assert_eq!((problems[0].line, problems[0].key.as_str()), (11, "backend.here.user"));
    assert!(problems[0].hint.contains("user = \"root\""), "{problems:?}");
    assert_eq!(host_as_root("user = \"root\"").unwrap().0, RunAs::Daemon);
    let (RunAs::One(user), _, None) = host_as_root("user = \"ci\"").unwrap() else { panic!("another choice") };
    assert_eq!((user.name.as_str(), user.uid), ("ci", 4_000_000));
    let (RunAs::OnePerMachine(users), _, room) = host_as_root("users = [\"ci\", \"4000001:1\"]").unwrap() else {
        panic!("another choice")
    };
    assert_eq!((users.len(), room), (2, Some(2)));
    for (lines, key, words) in [
        ("user = \"no such user\"", "user", "no user"),
        ("users = []", "users", "is empty"),
        ("users = [\"ci\", \"ci\"]", "users[1]", "is there twice"),
        // The same number in another spelling.
        ("users = [\"ci\", \"4000000:5\"]", "users[1]", "\"4000000:5\" is there twice"),
        ("users = [\"ci\", \"root\"]", "users[1]", "root can read"),
        ("users = [\"ci\"]\nuser = \"ci\"", "users", "stands beside"),
        ("users = [\"ci\"]\nmax = 2", "max", "more than there are `users` (1)"),
        ("users = [\"ci\"]\n[backend.there]\nkind = \"host\"\nuser = \"ci\"", "", "shares the user \"ci\""),
        ("users = [\"ci\"]\n[backend.there]\nkind = \"host\"\nuser = \"4000000:5\"", "", "shares the user"),
    ] {
        let problems = host_as_root(lines).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("{lines}: {problems:#?}") };
        assert!(problem.reason.contains(words) && problem.key.ends_with(key), "{lines}: {problem:?}");
    }
}

#[test]
fn each_mistake_in_users_is_told_where_it_stands() {
    let problems = host_as_root("users = [\"ci\", \"nobody here\", \"ci\", \"root\"]").unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| (problem.key.as_str(), problem.reason.as_str())).collect();
    let [(one, unknown), (two, twice), (three, root)] = told[..] else { panic!("{problems:#?}") };
    assert_eq!([one, two, three], [1, 2, 3].map(|at| format!("backend.here.users[{at}]")));
    assert!(unknown.contains("no user") && twice.contains("twice") && root.contains("root can read"), "{told:?}");
}

#[test]
fn a_key_that_stands_in_another_table_is_told_where_it_belongs() {
    for (from, to, key, words) in [
        ("deployment", "interval = \"5s\"\ndeployment", "interval", "it belongs to [[forge]] or [backend.NAME]"),
        ("max = 4", "max = 4\nsettle = \"5s\"", "pool[0].settle", "it belongs to [limits]"),
        ("kind = \"host\"", "kind = \"host\"\ndeployment = \"x\"", "backend.here.deployment", "it belongs to the top"),
    ] {
        let found = parse(&SMALL.replace(from, to)).expect_err(to);
        let [problem] = found.as_slice() else { panic!("{to}: {found:#?}") };
        assert!(problem.key == key && problem.hint.contains(words), "{to}: {problem:?}");
    }
}

#[test]
fn without_root_jobs_run_as_the_daemons_own_user_and_group_alone() {
    let with = |line: &str| format!("kind = \"host\"\n{line}");
    for (line, key, words) in [
        ("users = [\"ci\"]", "backend.here.users", "only root can run each machine as another user"),
        ("user = \"ci-elsewhere\"", "backend.here.user", "only root can run jobs as \"ci-elsewhere\""),
    ] {
        check_problem("kind = \"host\"", &with(line), 13, key, words);
    }
    let config = parse(&SMALL.replace("kind = \"host\"", &with("user = \"ci\""))).unwrap();
    let BackendKind::Host(host) = &config.backends[&BackendId::new("here")].kind else { panic!("another kind") };
    assert_eq!(host.run_as, RunAs::Daemon);
}

#[test]
fn limits_are_read_for_the_kernel() {
    let lines = "user = \"ci\"\nmemory = \"4GiB\"\ncpus = 1.5\npids = 4096";
    let expected = Limits { memory_bytes: Some(4 << 30), cpu_quota_us: Some(150_000), pids: Some(4096) };
    assert_eq!(host_as_root(lines).unwrap().1, expected);
    assert_eq!(host_as_root("user = \"ci\"").unwrap().1, Limits::default());
}

#[test]
fn a_wrong_scope_hides_no_missing_token() {
    let found = problems(&[("token_file = \"token\"\n", ""), ("\"org:acme\", \"repo:tools/site\"", "3")]);
    let keys: Vec<&str> = found.iter().map(|(_, key, _)| key.as_str()).collect();
    assert_eq!(keys, ["forge[0].token_file", "forge[0].scopes[0]"]);
}

#[test]
fn what_is_allowed_and_can_hardly_be_meant_is_a_warning() {
    let warned = |from: &str, to: &str| {
        let warnings = parse(&SMALL.replace(from, to)).unwrap().warnings;
        let [warning] = warnings.as_slice() else { panic!("{to}: {warnings:?}") };
        (warning.line, warning.key.clone(), warning.hint.clone())
    };
    for typo in ["docker:/node:22", "docker:///node:22"] {
        let text = format!("debian:{typo}");
        let (line, key, hint) = warned("debian:docker://node:22-bookworm", &text);
        assert_eq!((line, key.as_str(), hint.as_str()), (8, "pool[0].labels[0]", "write \"debian:docker://node:22\""));
    }
    assert_eq!(warned("debian:docker://node:22-bookworm", "debian:docker://").1, "pool[0].labels[0]");
    for right in ["debian:docker:node:22", "debian:docker", "debian"] {
        assert_eq!(parse(&SMALL.replace("debian:docker://node:22-bookworm", right)).unwrap().warnings, [], "{right}");
    }
    assert_eq!(warned("max = 4", "max = 0").1, "pool[0].max");
}

#[test]
fn codeberg_is_asked_politely() {
    let codeberg = SMALL.replace("forge.example", "www.codeberg.org");
    let config = parse(&codeberg).unwrap();
    assert_eq!(config.forges[0].interval, Duration::from_secs(30));
    assert_eq!(config.pools[0].fetch_interval, Duration::from_secs(30));
    assert_eq!(config.pools[0].policy.clocks.claim, Duration::from_secs(90));
    let problems = parse(&codeberg.replace("scopes", "interval = \"29s\"\nscopes")).unwrap_err();
    assert_eq!((problems[0].line, problems[0].reason.as_str()), (5, "29s is less than 30s"));
}

#[test]
fn a_scope_may_have_its_own_token() {
    let text = SMALL
        .replace("token_file = \"token\"\n", "")
        .replace("\"org:acme\"", "{ scope = \"org:acme\", token_env = \"FORGESCALE_TOKEN\" }")
        .replace("\"repo:tools/site\"", "{ scope = \"repo:tools/site\", token_file = \"token-site\" }");
    let config = parse(&text).unwrap();
    let tokens: Vec<&str> = config.forges[0].scopes.iter().map(|scope| scope.token.expose_secret()).collect();
    assert_eq!(tokens, ["from-environment", "s1te"]);
}

#[test]
fn a_token_is_checked_and_never_printed() {
    let place = Place::new();
    let read = || Config::parse(SMALL, place.path(), &surroundings(&place));
    for (text, words) in
        [("", "is empty"), (" \n\t", "is empty"), ("a b\n", "more than one word"), (&"x".repeat(4097), "longer")]
    {
        place.write("token", text, 0o600);
        let problems = read().unwrap_err();
        assert!(problems.len() == 1 && problems[0].reason.contains(words), "{problems:?}");
    }
    place.write("token", "\n  s3cret \t\r\n\n", 0o644);
    let config = read().unwrap();
    assert_eq!(config.forges[0].scopes[0].token.expose_secret(), "s3cret");
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].reason.contains("everybody"), "{:?}", config.warnings);
    assert!(!format!("{config:?}").contains("s3cret"));
    let hidden = config.settings.iter().find(|setting| setting.key == "forge[0].token").unwrap();
    assert_eq!(hidden.value.as_deref(), Some("<hidden>"));
    assert_eq!(hidden.origin, Origin::SecretFile { path: place.path().join("token") });
}

#[test]
fn a_token_may_be_a_credential_of_the_service() {
    let place = Place::new();
    let text = SMALL.replace("\"token\"", "\"${CREDENTIALS_DIRECTORY}/token-site\"");
    let credentials = place.path().display().to_string();
    let path = credentials.clone();
    let service = move |name: &str| match name {
        "CREDENTIALS_DIRECTORY" => Some(credentials.clone()),
        "PATH" | "HOME" => Some(path.clone()),
        _ => None,
    };
    let config = Config::parse(&text, Path::new("/elsewhere"), &Surroundings::new(service, false)).unwrap();
    assert_eq!(config.forges[0].scopes[0].token.expose_secret(), "s1te");

    let problems = parse(&text).unwrap_err();
    assert_eq!((problems.len(), problems[0].line, problems[0].key.as_str()), (1, 4, "forge[0].token_file"));
    assert!(problems[0].reason.contains("CREDENTIALS_DIRECTORY is not set"), "{problems:?}");
    assert!(problems[0].hint.contains("LoadCredential"));
}

#[test]
fn directories_come_from_the_service_the_user_or_the_file() {
    let state = |variables: &[(&str, &str)], root: bool, text: &str| {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let lookup = move |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let place = Place::new();
        place.write("c.toml", text, 0o600);
        state_directory(&place.path().join("c.toml"), &Surroundings::new(lookup, root))
            .map(|path| path.strip_prefix(place.path()).map(Path::to_owned).unwrap_or(path).display().to_string())
            .map_err(|error| error.to_string().contains("1 problem"))
    };
    let (service, home) = (("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("HOME", "/home/u"));
    assert_eq!(state(&[service, home], true, ""), Ok("/var/lib/a".to_owned()));
    assert_eq!(state(&[home], true, ""), Ok("/var/lib/forgescale".to_owned()));
    assert_eq!(state(&[home, ("XDG_STATE_HOME", "/s")], false, ""), Ok("/s/forgescale".to_owned()));
    assert_eq!(state(&[home], false, ""), Ok("/home/u/.local/state/forgescale".to_owned()));
    assert_eq!(state(&[service], false, "state_directory = \"own\""), Ok("own".to_owned()));
    assert_eq!(state(&[], false, "max = 3"), Err(true));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/no/such/file.toml"), &surroundings(&Place::new())).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert_eq!(error.to_string(), "cannot read the configuration /no/such/file.toml");
}

/// Texts near to valid ones: pieces of a configuration in any order.
fn near_configuration() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(SMALL.split_inclusive('\n').collect::<Vec<_>>()).prop_map(str::to_owned),
        prop::sample::select(super::example().split_inclusive('\n').collect::<Vec<_>>())
            .prop_map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned()),
        "[a-z_]{1,12} = (\"[^\"\\\\\n]{0,8}\"|[0-9]{1,20}|true|1\\.5|\\[[0-9, ]{0,4}\\]|\\{\\})\n",
        ".{0,12}",
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), near_configuration()]) {
        let surroundings = Surroundings::new(|_| None, false);
        let lines = text.matches('\n').count() + 1;
        if let Err(problems) = Config::parse(&text, Path::new("/nonexistent"), &surroundings) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem:?}");
                prop_assert!(!problem.hint.is_empty(), "{problem:?}");
            }
        }
    }
}
