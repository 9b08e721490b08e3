//! The forge: reached or not, its version, its clock, the runners' way to it, and runners beside ours.

use std::net::TcpListener;

use emulator::{Effect, Emulator, EmulatorSettings, FaultRule, Matcher, RouteKind};
use forge_model::rpc::Credentials;
use forge_model::{Area, TokenScope, Version};

use super::place::Place;
use super::self_signed;
use crate::{forgescale, run};

#[test]
fn where_all_is_well_every_line_says_so() {
    let place = Place::new();
    let found = place.found();
    assert_eq!(found.status, Some(0));
    let subjects: Vec<&str> =
        found.subjects("ok").into_iter().filter_map(|subject| subject.split(' ').next()).collect();
    let file = place.folder.path().join("c.toml");
    let expected = [
        file.to_str().unwrap(),
        "forge",
        "scope",
        "runners",
        "runners'",
        "backend",
        "state_directory",
        "runtime_directory",
    ];
    assert_eq!(subjects, expected, "{found:#?}");
    assert_eq!(found.subjects("error").len() + found.subjects("warning").len(), 1, "{found:#?}");
    place.unchanged();
}

#[test]
fn each_way_not_to_be_reached_has_its_hint_and_stands_alone() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unknown = format!("http://{}.invalid", "x".repeat(70));
    for (url, words) in [
        (format!("http://{free}"), ["refuses connections", "is the forge running"]),
        (unknown, ["is unknown", "name servers"]),
    ] {
        let text = place.text("\"org:acme\"", "").replace(&place.emulator.url(), &url);
        place.write("c.toml", &text, 0o600);
        let found = place.found();
        assert!(found.has("forge ", "error", &words), "{found:#?}");
        assert_eq!(found.subjects("error").len(), 1, "{found:#?}");
        assert_eq!(found.status, Some(2));
    }
}

#[test]
fn a_certificate_that_nobody_trusts_is_told_with_a_way_out() {
    let place = Place::new();
    // Some authority, so that even a machine without any can begin; by this name the certificate is not valid.
    place.write("ca.pem", std::str::from_utf8(self_signed::CERTIFICATE).unwrap(), 0o600);
    let url = self_signed::server().replace("127.0.0.1", "localhost");
    let text = place.text("\"org:acme\"", "ca_file = \"ca.pem\"").replace(&place.emulator.url(), &url);
    place.write("c.toml", &text, 0o600);
    let found = place.found();
    assert!(found.has("forge ", "error", &["the certificate of localhost is not trusted", "ca.pem"]), "{found:#?}");
    assert_eq!(found.subjects("error").len(), 1, "{found:#?}");
}

#[test]
fn a_file_of_authorities_without_any_is_told_with_its_hint_by_check_and_by_run() {
    let place = Place::new();
    place.configure("\"org:acme\"", "ca_file = \"ca.pem\"");
    place.write("ca.pem", "no certificate\n", 0o600);
    let (hint, found) = ("it must be in PEM form", place.found());
    let finding = found.findings.iter().find(|finding| finding.subject.starts_with("forge ")).expect("a finding");
    assert!(finding.verdict == "error" && finding.hint.contains(hint), "{found:#?}");
    let ran = run(forgescale(["run", "--once", "--config"]).arg(place.folder.path().join("c.toml")));
    assert_eq!((ran.status, found.status), (Some(2), Some(2)), "{}", ran.err);
    assert!(
        ran.err.contains("error: cannot make a client for ") && ran.err.contains(&format!("\nhint: {hint}")),
        "{}",
        ran.err
    );
}

/// Lets the forge answer a question for its version like this.
fn version(place: &Place, version: &str, date: Option<&str>) {
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    headers.extend(date.map(|date| ("Date".to_owned(), date.to_owned())));
    let effect = Effect::Answer { status: 200, headers, body: format!("{{\"version\":\"{version}\"}}") };
    place.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::Version), effect));
}

#[test]
fn a_forge_before_15_is_refused() {
    let place = Place::new();
    version(&place, "14.0.2+gitea-1.22.0", None);
    place.finds("forge ", "error", &["Forgejo 14.0.2", "15"]);
}

#[test]
fn a_clock_that_is_far_off_is_told() {
    let place = Place::new();
    version(&place, "16.0.0+gitea-1.22.0", Some("Thu, 01 Jan 2015 00:00:00 GMT"));
    place.finds("forge ", "warning", &["behind this machine's", "NTP"]);
}

#[test]
fn a_bad_moment_of_the_version_hides_nothing_of_the_scopes() {
    for status in [429, 500] {
        let place = Place::new();
        place.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::Version), Effect::status(status)));
        let found = place.found();
        assert!(found.has("forge ", "error", &[&status.to_string()]), "{found:#?}");
        assert!(found.has("scope org:acme", "ok", &["may read and write"]), "{found:#?}");
    }
}

#[test]
fn that_no_other_runner_is_there_is_said_only_when_every_list_was_read() {
    let place = Place::new();
    place.configure("\"org:acme\", \"repo:acme/site\"", "");
    assert!(place.found().has("runners of ", "ok", &["no persistent runner"]));
    let of_the_repository = Matcher::when(|kind, _, path| kind == RouteKind::ListRunners && path.contains("/repos/"));
    for status in [403, 500] {
        let effect = Effect::status(status);
        let rule = place.emulator.faults().add(FaultRule::always(of_the_repository.clone(), effect));
        let found = place.found();
        assert!(!found.has("runners of ", "ok", &[]), "{status}: {found:#?}");
        assert!(found.has("runners of ", "warning", &["repo:acme/site", &status.to_string()]), "{found:#?}");
        assert!(!found.has("runners of ", "warning", &["org:acme"]), "{found:#?}");
        place.emulator.faults().remove(rule);
    }
}

#[test]
fn a_page_of_a_proxy_is_no_forge() {
    let place = Place::new();
    place.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::Version), Effect::html(200)));
    place.finds("forge ", "error", &["login page or a proxy"]);
}

#[test]
fn a_persistent_runner_with_our_labels_is_named() {
    let place = Place::new();
    place.emulator.with_forge(|forge, now| {
        let acme = forge.repository(place.site).unwrap().owner;
        for (area, name, label) in [(Area::Instance, "big-old", "debian"), (Area::Owner(acme), "windows", "windows")] {
            let made = forge.register_runner(now, area, name, "", false).unwrap();
            let credentials = Credentials { uuid: &made.uuid, token: &made.token };
            forge.declare(now, credentials, "v12.8.2", &[label.to_owned()]).unwrap();
        }
    });
    let found = place.found();
    assert!(found.has("runners of ", "warning", &["big-old", "debian"]), "{found:#?}");
    assert!(!found.has("runners of ", "warning", &["windows"]), "{found:#?}");
}

#[test]
fn runners_need_the_service_and_the_same_forge() {
    let place = Place::new();
    let rest = place.emulator.faults().add(FaultRule::always(Matcher::kind(RouteKind::Ping), Effect::html(404)));
    place.finds("runners' way to ", "error", &["do not reach the forge", "/api/actions"]);
    place.emulator.faults().remove(rest);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let other = runtime.block_on(Emulator::start(EmulatorSettings::new(Version::V16))).unwrap();
    place.configure("\"org:acme\"", &format!("runner_url = \"{}\"", other.url()));
    place.finds("runner_url ", "error", &["it is another forge"]);
    let asked: Vec<RouteKind> = other.calls().by_kind().map(|(kind, _)| kind).collect();
    assert_eq!(asked, [RouteKind::ScopeId, RouteKind::Ping], "nothing that a token would be needed for");
    let alias = place.emulator.url().replace("127.0.0.1", "localhost");
    place.configure("\"org:acme\"", &format!("runner_url = \"{alias}\""));
    place.finds("runner_url ", "ok", &["runners reach the forge"]);
    drop(other);
}

#[test]
fn every_scope_has_its_line() {
    let place = Place::new();
    place.token(place.dana, &[TokenScope::All]);
    place.configure("\"org:acme\", \"repo:acme/site\", \"user\"", "");
    let scopes: Vec<String> = place.found().subjects("ok").into_iter().map(str::to_owned).collect();
    for scope in ["org:acme", "repo:acme/site", "user"] {
        assert!(scopes.iter().any(|subject| subject.starts_with(&format!("scope {scope} "))), "{scope}: {scopes:?}");
    }
}
