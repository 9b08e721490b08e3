//! One test's forge, configuration and runner program, and what `check` says of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use emulator::{Emulator, EmulatorSettings, RouteKind};
use forge_model::{Category, OwnerId, RepoId, TokenScope, TokenSpec, Version};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{Ran, forgescale, run};

/// A forge with an organization `acme`, its owner `dana`, and a repository `acme/site`.
pub(super) struct Place {
    pub(super) emulator: Emulator,
    pub(super) dana: OwnerId,
    pub(super) site: RepoId,
    pub(super) folder: TempDir,
    pub(super) memory: TempDir,
    /// Last, so that what runs on it is dropped before.
    _runtime: Runtime,
}

impl Place {
    /// A place in which `check` has nothing to complain about but that jobs run as the daemon's own user.
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let emulator = runtime.block_on(Emulator::start(EmulatorSettings::new(Version::V16))).expect("a forge");
        let (dana, site) = emulator.with_forge(|forge, _| {
            let dana = forge.create_user("dana", false);
            let acme = forge.create_organization("acme", &[dana]);
            (dana, forge.create_repository(acme, "site", false).expect("a repository"))
        });
        let folder = TempDir::new().expect("a folder");
        let memory = TempDir::new_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" });
        let memory = memory.expect("a folder in memory");
        let place = Self { emulator, dana, site, folder, memory, _runtime: runtime };
        place.runner("forgejo-runner version v12.8.2");
        place.token(dana, &[TokenScope::Write(Category::Organization), TokenScope::Write(Category::Repository)]);
        place.configure("\"org:acme\"", "");
        place
    }

    /// Writes the configuration with these scopes, and more keys of the forge.
    pub(super) fn configure(&self, scopes: &str, forge: &str) {
        self.write("c.toml", &self.text(scopes, forge), 0o600);
    }

    /// A configuration.
    pub(super) fn text(&self, scopes: &str, forge: &str) -> String {
        format!(
            "deployment = \"ci\"\nstate_directory = \"state\"\nruntime_directory = \"{}\"\n\
             [[forge]]\nurl = \"{}\"\ntoken_file = \"token\"\nscopes = [{scopes}]\n{forge}\n\
             [[pool]]\nname = \"debian\"\nlabels = [\"debian:host\"]\nbackend = \"here\"\nmax = 4\n\
             [backend.here]\nkind = \"host\"\n{}runner = \"./runner\"\n",
            self.memory.path().display(),
            self.emulator.url(),
            crate::as_this_user(),
        )
    }

    /// Makes a token of a user and writes it where the configuration looks for it.
    pub(super) fn token(&self, user: OwnerId, scopes: &[TokenScope]) {
        self.token_of(user, TokenSpec::new(scopes));
    }

    /// The same with a token that is bound to more.
    pub(super) fn token_of(&self, user: OwnerId, spec: TokenSpec) {
        let token = self.emulator.with_forge(|forge, _| forge.create_token(user, spec)).expect("a token");
        self.write("token", &token, 0o600);
    }

    /// Makes the runner a program that says this of its version.
    pub(super) fn runner(&self, says: &str) {
        self.write("runner", &format!("#!/bin/sh\necho '{says}'\n"), 0o700);
    }

    /// Writes a file of the configuration's folder.
    pub(super) fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a written file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file of ours");
    }

    /// Runs `check`.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let file = self.folder.path().join("c.toml");
        run(forgescale(["check", "--config"]).arg(file).args(arguments).env("PATH", "/usr/bin:/bin"))
    }

    /// What `check --json` found, and its status.
    pub(super) fn found(&self) -> Found {
        let ran = self.run(&["--json"]);
        assert_eq!(ran.err, "", "{}", ran.out);
        let json: Value = serde_json::from_str(&ran.out).expect("JSON");
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let findings = json["findings"].as_array().expect("a list").iter().map(|finding| {
            let (subject, verdict) = (text(finding, "subject"), text(finding, "verdict"));
            Finding { subject, verdict, message: text(finding, "message"), hint: text(finding, "hint") }
        });
        Found { status: ran.status, findings: findings.collect() }
    }

    /// Checks that there is a finding about a subject that begins so, with this verdict, and these words in its message
    /// or hint; and that nothing was registered.
    #[track_caller]
    pub(super) fn finds(&self, subject: &str, verdict: &str, words: &[&str]) {
        let found = self.found();
        assert!(found.has(subject, verdict, words), "{subject} {verdict} {words:?}: {found:#?}");
        assert_eq!(found.status, Some(if verdict == "error" { 2 } else { 0 }), "{found:#?}");
        self.unchanged();
    }

    /// Checks that nothing at the forge was changed, or tried to be.
    #[track_caller]
    pub(super) fn unchanged(&self) {
        let registered = self.emulator.with_forge(|forge, _| forge.books().registrations().len());
        let calls = self.emulator.calls();
        assert_eq!((registered, calls.of(RouteKind::RegisterRunner)), (0, 0));
        assert!(!self.folder.path().join("state").exists(), "the state directory was made");
    }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) status: Option<i32>,
    pub(super) findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) subject: String,
    pub(super) verdict: String,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Found {
    pub(super) fn has(&self, subject: &str, verdict: &str, words: &[&str]) -> bool {
        self.findings.iter().any(|finding| {
            let said = format!("{} / {}", finding.message, finding.hint);
            let fits = finding.subject.starts_with(subject) && finding.verdict == verdict;
            fits && words.iter().all(|word| said.contains(word))
        })
    }

    /// The subjects of a verdict.
    pub(super) fn subjects(&self, verdict: &str) -> Vec<&str> {
        self.findings.iter().filter(|it| it.verdict == verdict).map(|it| it.subject.as_str()).collect()
    }
}
