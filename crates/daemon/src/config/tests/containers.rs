//! Backends of containers.

use backend_docker::{Address, TlsFiles};
use planner::ids::BackendId;

use super::{Place, SMALL, parse, surroundings};
use crate::config::{BackendKind, Config, Surroundings};

#[test]
fn a_backend_of_containers_has_keys_of_its_own() {
    let with = |lines: &str| SMALL.replace("kind = \"host\"", &format!("kind = \"docker\"\n{lines}"));
    let config = parse(&with("image = \"debian:13\"\npull = \"never\"\nmemory = \"4GiB\"\ncpus = 1.5")).unwrap();
    let backend = &config.backends[&BackendId::new("here")];
    let BackendKind::Docker(docker) = &backend.kind else { panic!("another kind") };
    assert_eq!(docker.address.to_string(), "unix:///var/run/docker.sock");
    assert_eq!((docker.image.as_deref(), docker.pull), (Some("debian:13"), backend_docker::Pull::Never));
    let limits = &docker.limits;
    assert_eq!((limits.memory, limits.milli_cpus, limits.pids), (Some(4 << 30), Some(1500), Some(4096)));
    assert_eq!(docker.network, backend_docker::Network::Own);
    assert_eq!((docker.registry_auth_file.as_ref(), docker.prune_images, docker.disk_free), (None, None, 5 << 30));
    for (line, key, words) in [
        ("host = \"ssh://ops@elsewhere\"", "host", "no address of an engine"),
        ("host = \"tcp://elsewhere:2375\"", "host", "in plain text"),
        ("host = \"tcp://elsewhere\"\ntls_ca_file = \"ca.pem\"\ntls_key_file = \"k\"", "tls_cert_file", "all three"),
        ("host = \"unix:///a\"\ntls_key_file = \"k\"", "tls_key_file", "no meaning"),
        ("insecure = true", "insecure", "no meaning"),
        ("host = \"tcp://localhost:2375\"\nmode = \"socket\"", "mode", "a socket of its host"),
        ("pull = \"sometimes\"", "pull", "says not when"),
        ("registry_auth_file = \"~/.docker/config.json\"", "registry_auth_file", "has no meaning"),
        ("prune_images = \"1m\"", "prune_images", "less than 1h"),
        ("cache_max_age = \"30m\"", "cache_max_age", "less than 1h"),
        ("disk_free = 5", "disk_free", "expected a size"),
        ("mode = \"inside\"", "mode", "no way to run"),
        ("read_only = true", "read_only", "nothing to write to"),
        ("read_only = \"yes\"", "read_only", "expected true or false"),
        ("tmpfs = [\"tmp\"]", "tmpfs", "no folder of a container"),
        ("ulimits = { files = 1 }", "ulimits.files", "no limit of processes"),
        ("ulimits = { nofile = \"2:1\" }", "ulimits.nofile", "is no limit"),
        ("devices = [\"kvm\"]", "devices", "no device"),
        ("gpus = 0", "gpus", "is none"),
        ("user = \"ci\"", "user", "no key"),
    ] {
        let problems = parse(&with(line)).unwrap_err();
        let [problem] = problems.as_slice() else { panic!("{line}: {problems:#?}") };
        assert!(problem.key.ends_with(key), "{line}: {problem:?}");
        assert!(key == "user" || problem.reason.contains(words), "{line}: {problem:?}");
    }
}

#[test]
fn walls_and_modes_of_containers_are_as_written() {
    let lines = "kind = \"docker\"\nmode = \"nested\"\nnested_image = \"dind:1\"\nread_only = true\n\
         tmpfs = [\"/tmp\"]\nulimits = { nofile = \"1:2\" }\ndevices = [\"/dev/kvm\"]\ngpus = [\"0\"]";
    let config = parse(&SMALL.replace("kind = \"host\"", lines)).unwrap();
    let BackendKind::Docker(docker) = &config.backends[&BackendId::new("here")].kind else { panic!("another kind") };
    let nested = backend_docker::Mode::Nested { image: "dind:1".to_owned(), privileged: true };
    assert_eq!(docker.mode, nested);
    let walls = &docker.hardening;
    assert!(walls.read_only && walls.tmpfs[0].path == "/tmp" && walls.devices[0].container == "/dev/kvm");
    assert_eq!((walls.ulimits[0].soft, walls.ulimits[0].hard), (1, 2));
    assert_eq!(walls.gpus, Some(backend_docker::Gpus::These(vec!["0".to_owned()])));
}

#[test]
fn an_engine_on_another_host_is_called_with_tls_or_openly_without() {
    let at = |lines: &str| {
        let config = parse(&SMALL.replace("kind = \"host\"", &format!("kind = \"docker\"\n{lines}"))).unwrap();
        let BackendKind::Docker(docker) = &config.backends[&BackendId::new("here")].kind else { panic!() };
        docker.address.clone()
    };
    let files = "tls_ca_file = \"ca.pem\"\ntls_cert_file = \"/c.pem\"\ntls_key_file = \"/k.pem\"";
    let address = at(&format!("host = \"tcp://build.example\"\n{files}"));
    assert_eq!(address.to_string(), "tcp://build.example:2376");
    let Address::Tcp { tls: Some(TlsFiles { ca, certificate, key }), .. } = address else { panic!("{address:?}") };
    assert!(ca.is_absolute() && ca.ends_with("ca.pem"), "{ca:?}");
    assert_eq!((certificate.to_str(), key.to_str()), (Some("/c.pem"), Some("/k.pem")));
    for lines in ["host = \"tcp://build.example:2375\"\ninsecure = true", "host = \"tcp://[::1]:2375\""] {
        let address = at(lines);
        assert!(matches!(address, Address::Tcp { tls: None, .. }), "{address:?}");
    }
}

#[test]
fn podman_is_at_the_socket_of_root_or_of_the_user() {
    let place = Place::new();
    let text = SMALL.replace("kind = \"host\"", "kind = \"podman\"");
    let runtime = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/7".to_owned());
    let path = surroundings(&place).variable("PATH");
    for (root, expected) in [(true, "/run/podman/podman.sock"), (false, "/run/user/7/podman/podman.sock")] {
        let path = path.clone();
        let variables = move |name: &str| if name == "PATH" { path.clone() } else { runtime(name) };
        let around = Surroundings::new(variables, root);
        let text = format!("state_directory = \"state\"\n{text}");
        let config = Config::parse(&text, place.path(), &around).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let kind = &config.backends[&BackendId::new("here")].kind;
        let BackendKind::Docker(docker) = kind else { panic!("another kind") };
        assert_eq!(docker.address.to_string(), format!("unix://{expected}"));
    }
}
