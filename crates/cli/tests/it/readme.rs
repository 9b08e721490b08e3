//! The README and the documents cannot lie: configurations are valid, commands and linked files exist, and `.ci/run` runs
//! what it promises.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::skipped::skip;
use crate::{as_this_user, check_quiet, forgescale, run};

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)).expect("a file of the project")
}

/// What stands before a command that needs the token of the service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY=/etc/forgescale ";

/// The fenced blocks of a language, in order.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_configurations_of_the_documents_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef01234567").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let runner = directory.path().join("forgejo-runner");
    fs::write(&runner, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).unwrap();
    for document in ["README.md", "docs/guides/install.md"] {
        let [configuration] = &blocks(&text(document), "toml")[..] else { panic!("one configuration") };
        let file = directory.path().join("forgescale.toml");
        // Neither that user nor the right to choose one may be here.
        let here = format!("kind = \"host\"\n{}", as_this_user());
        let configuration = configuration.replace("user = \"ci\"\n", "").replace("kind = \"host\"\n", &here);
        fs::write(&file, configuration.replace("/etc/forgescale/token", token.to_str().unwrap())).unwrap();
        let mut command = forgescale(["config", "show", "--config", file.to_str().unwrap()]);
        let ran = run(command.env("PATH", directory.path()).env("CREDENTIALS_DIRECTORY", directory.path()));
        check_quiet(&ran);
        assert!(ran.out.contains("ci-berlin"), "{document}");
    }
}

#[test]
fn every_command_of_the_documents_exists() {
    let help = run(&mut forgescale(["--help"])).out;
    for document in ["README.md", "docs/guides/install.md", "docs/guides/first-runner.md"] {
        let shell = blocks(&text(document), "sh").concat();
        let commands: Vec<&str> = shell
            .lines()
            .filter_map(|line| line.trim_start_matches(CREDENTIALS).strip_prefix("forgescale ")?.split(' ').next())
            .collect();
        assert!(!commands.is_empty(), "{document}");
        for command in commands {
            assert!(help.contains(&format!("  {command} ")), "{command} is in {document} and not in the help");
        }
    }
}

#[test]
fn the_first_commands_are_two_and_the_ci_script_runs_them() {
    let readme = text("README.md");
    let first: Vec<String> = blocks(&readme, "sh").into_iter().take(2).map(|block| block.trim().to_owned()).collect();
    assert_eq!(first, ["cargo run --release -- demo", "cargo test --workspace"]);
    let script = text(".ci/run");
    for command in first {
        assert!(script.contains(&command), "{command}");
    }
}

/// Every document for readers, below the root.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for folder in ["", "docs/", "docs/guides/", "docs/reference/"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder of documents") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                found.push(format!("{folder}{name}"));
            }
        }
    }
    found
}

/// The targets of a document's links, without those of other sites.
fn links(document: &str) -> Vec<&str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("http")).collect()
}

/// What a link to a heading is called: small letters and digits, with `-` for spaces, nothing else.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for document in documents() {
        let folder = Path::new(&document).parent().expect("a folder");
        for link in links(&text(&document)) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { folder.join(file).display().to_string() };
            let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&target).exists();
            assert!(found, "{document} links to {link}, which is not there");
            let has_heading = |line: &str| line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading;
            assert!(heading.is_empty() || text(&target).lines().any(has_heading), "{document}: no heading for {link}");
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} links");
}

#[test]
fn files_that_the_guides_install_exist() {
    let guide = text("docs/guides/install.md");
    let files: Vec<&str> = guide.split([' ', '\n', '`']).filter(|word| word.starts_with("packaging/")).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        assert!(!text(file).is_empty());
    }
}

#[test]
fn the_unit_lets_jobs_survive_the_daemon() {
    let unit = text("packaging/systemd/forgescale.service");
    let has = |wanted: &str| unit.lines().any(|line| line == wanted);
    // Anything else signals running jobs, loses their credentials, or empties their files under them.
    for line in ["KillMode=process", "RuntimeDirectoryPreserve=yes", "OOMPolicy=continue", "Delegate=yes"] {
        assert!(has(line), "{line}");
    }
    assert!(!unit.lines().any(|line| line.starts_with("PrivateTmp=")));
    // A sign of life is wanted, and the daemon gives one; a core dump would hold tokens.
    assert!(has("Type=notify") && has("WatchdogSignal=SIGKILL"));
    let program = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/forgescale ")).unwrap();
    let ran = run(&mut forgescale(program.replace("/etc/", "/nonexistent/").split(' ')));
    assert!(ran.err.contains("cannot read the configuration /nonexistent/forgescale/forgescale.toml"), "{}", ran.err);
}

#[test]
fn systemd_understands_the_unit() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("forgescale.service");
    let program = env!("CARGO_BIN_EXE_forgescale");
    let unit = text("packaging/systemd/forgescale.service").replace("/usr/local/bin/forgescale", program);
    fs::write(&file, unit).expect("a file");
    let Ok(verified) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output() else {
        return skip("there is no systemd-analyze");
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    // Before systemd 254 there is no such key, and it is passed over.
    let complaints: Vec<&str> = said.lines().filter(|line| !line.contains("'DelegateSubgroup'")).collect();
    assert!(verified.status.success() && complaints.is_empty(), "{said}");
}

/// The text of every Rust file below a folder.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).expect("a source"));
        }
    }
}

#[test]
fn the_tests_that_the_architecture_names_exist() {
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut all);
    let architecture = text("ARCHITECTURE.md");
    let (_, table) = architecture.split_once("| Invariant | Broken |").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with('|'));
    let named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
        let wanted = match test.trim_end_matches('*') {
            "" => format!("mod {module};"),
            start => format!("fn {start}"),
        };
        assert!(all.contains(&wanted), "{name} is in ARCHITECTURE.md and not in the tests");
    }
}
