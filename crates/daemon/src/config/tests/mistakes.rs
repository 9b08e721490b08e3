//! Mistakes that people make, and what is left of a configuration that has some.

use std::path::Path;

use super::super::{Config, Reading};
use super::{Place, SMALL, check_problem, parse, roots, surroundings};

/// Reads a text with all of its problems.
fn read(text: &str) -> Reading {
    let place = Place::new();
    Config::reading(text, place.path(), &surroundings(&place))
}

#[test]
fn a_slip_in_toml_itself_is_told_once_with_its_place_and_a_way_out() {
    for (from, to, line, column, words) in [
        ("site\"]", "site\"", 6, 1, "a `]` or a `,` is missing here or above"),
        ("[[pool]]", "[[pool]", 6, 8, "a `]`"),
        ("\"debian\"\n", "\"debian\n", 7, 15, "begins and ends with a quote"),
        ("\"debian\"\n", "debian\n", 7, 8, "in quotes"),
        ("max = 4", "max = 4\nmax = 5", 11, 1, "remove one"),
        ("max = 4", "max: 4", 10, 4, "NAME = VALUE"),
        ("max = 4", "max = ", 10, 7, "every setting has a value"),
    ] {
        let found = parse(&SMALL.replace(from, to)).expect_err(to);
        let [problem] = found.as_slice() else { panic!("{to}: {found:#?}") };
        assert_eq!((problem.line, problem.column), (line, column), "{to}: {problem:?}");
        assert!(problem.hint.contains(words) && problem.hint.contains("when this is mended"), "{to}: {problem:?}");
    }
    assert!(read("max =").config.is_none());
}

#[test]
fn what_only_a_shell_understands_is_refused_in_paths() {
    for path in ["~/token", "~ci/token", "${HOME}/token", "$HOME/token", "/run/$USER/token", "/run/${USER}/token"] {
        check_problem("\"token\"", &format!("\"{path}\""), 4, "forge[0].token_file", "has no meaning here");
        check_problem("\"token\"", &format!("\"{path}\""), 4, "forge[0].token_file", "write the whole path");
    }
    for (line, key) in [
        ("state_directory = \"~/state\"", "state_directory"),
        ("runtime_directory = \"${XDG_RUNTIME_DIR}/forgescale\"", "runtime_directory"),
    ] {
        check_problem("deployment", &format!("{line}\ndeployment"), 1, key, "has no meaning here");
    }
    for (line, key) in [("runner = \"~/bin/forgejo-runner\"", "runner"), ("path = \"/opt/bin:$PATH\"", "path")] {
        let key = format!("backend.here.{key}");
        let found = parse(&SMALL.replace("kind = \"host\"", &format!("kind = \"host\"\n{line}"))).expect_err(line);
        let problem = found.iter().find(|problem| problem.key == key).expect(line);
        assert!(problem.reason.contains("has no meaning here"), "{problem:?}");
    }
    let place = Place::new();
    std::fs::create_dir(place.path().join("~")).unwrap();
    place.write("~/token", "t0ken", 0o600);
    let text = SMALL.replace("\"token\"", "\"./~/token\"");
    Config::parse(&text, place.path(), &surroundings(&place)).expect("a folder of that very name");
}

#[test]
fn what_is_whole_is_left_of_a_configuration_with_mistakes() {
    let second = "[[forge]]\nurl = \"https://second.example\"\ntoken_file = \"no-such\"\nscopes = [\"user\"]\n";
    let text = SMALL
        .replace("\"ci-berlin\"", "\"CI\"")
        .replace("[[pool]]", &format!("{second}[[pool]]\nname = \"broken\"\n[[pool]]"));
    let Reading { config, problems } = read(&text);
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let of_pool = ["pool[0].labels", "pool[0].backend", "pool[0].max"];
    assert_eq!(keys, [&["deployment", "forge[1].token_file"][..], &of_pool].concat());
    let config = config.expect("what is whole");
    let scopes: Vec<usize> = config.forges.iter().map(|forge| forge.scopes.len()).collect();
    assert_eq!(scopes, [2, 0]);
    assert_eq!(config.deployment.as_str(), "");
    assert_eq!((config.pools.len(), config.backends.len()), (1, 1));
    assert_eq!(config.state_directory, Path::new("/home/someone/.local/state/forgescale"));
}

#[test]
fn a_pool_with_a_mistake_makes_its_backend_no_unused_one() {
    let warnings = |text: &str| read(text).config.expect("TOML").warnings.len();
    assert_eq!(warnings(&SMALL.replace("max = 4", "max = \"4\"")), 0);
    assert_eq!(warnings(&format!("{SMALL}[backend.there]\nkind = \"host\"\n")), 1);
}

#[test]
fn a_directory_that_is_wrong_is_none() {
    let place = Place::new();
    let text = SMALL.replace("deployment", "state_directory = 3\ndeployment");
    let Reading { config, problems } = Config::reading(&text, place.path(), &roots(&place));
    assert!(problems.iter().any(|problem| problem.key == "state_directory"), "{problems:?}");
    assert_eq!(config.expect("what is whole").state_directory, Path::new(""));
}
