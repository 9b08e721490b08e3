//! What a runner and its job find in a machine.

use backend_docker::{CAPABILITIES_KEPT, Device, Gpus, Hardening, Limits, Network, Tmpfs, Ulimit, WithCaches};
use planner::seen::Exit;

use crate::engine::engine;
use crate::machine::{Ground, TOKEN};

#[tokio::test]
async fn the_launch_is_the_runners_standard_input_and_only_the_handle_an_argument() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "for argument; do echo \"$argument\"; done; cat /dev/stdin", |settings| {
        settings.runner.arguments.push("first".to_owned());
    });
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    let token = format!("      token: \"{TOKEN}\"");
    let expected = [
        "first",
        "-c",
        "/dev/stdin",
        "one-job",
        "--wait",
        "--handle=handle-1",
        "cache:",
        "  enabled: false",
        "server:",
        "  connections:",
        "    forge:",
        "      url: \"http://127.0.0.1:9\"",
        "      uuid: \"d4637a60-7fea-4075-a81c-7e4ae01bdf0d\"",
        "      labels: [\"lab:host\", \"deb:host\"]",
        "      fetch_interval: 2000ms",
        &token,
    ];
    assert_eq!(ground.log("fs-1").await, expected);
    ground.finish().await;
}

#[tokio::test]
async fn a_job_has_few_rights_and_cannot_change_the_runner_or_reach_the_engine() {
    let Some(engine) = engine().await else { return };
    let script = "cat > /dev/null
        grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status
        chown 1:1 /tmp && echo chown
        echo x 2>/dev/null >> /.forgescale/forgejo-runner || echo runner is read-only
        ls /var/run/docker.sock /run/docker.sock 2>/dev/null || echo no engine
        ls /proc/1/exe -l | grep -q init && echo init
        env";
    let ground = Ground::new(engine, script, |settings| settings.environment = vec![("A".into(), "b c".into())]);
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    let log = ground.log("fs-1").await;
    // By the numbers of the kernel (linux/capability.h), in the order of their names here.
    let numbers = [0, 1, 3, 4, 5, 10, 6, 7];
    assert_eq!(numbers.len(), CAPABILITIES_KEPT.len());
    let kept: u64 = numbers.iter().map(|number| 1_u64 << number).sum();
    for expected in [
        &*format!("CapEff:\t{kept:016x}"),
        &*format!("CapBnd:\t{kept:016x}"),
        "NoNewPrivs:\t1",
        "chown",
        "runner is read-only",
        "no engine",
        "init",
        "A=b c",
    ] {
        assert!(log.iter().any(|line| line == expected), "{expected} is not in {log:#?}");
    }
    ground.finish().await;
}

#[tokio::test]
async fn limits_and_bounds_of_the_log_are_the_engines_to_keep() {
    let Some(engine) = engine().await else { return };
    let limits = Limits { memory: Some(64 << 20), milli_cpus: Some(1500), pids: Some(99) };
    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.limits = limits);
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    let host = ground.engine.inspected(ground.deployment()).await.remove(0).host_config.unwrap();
    assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(1_500_000_000), Some(99)));
    let log = host.log_config.unwrap();
    let bounds = log.config.unwrap();
    assert_eq!((log.typ.as_deref(), &*bounds["max-size"], &*bounds["max-file"]), (Some("json-file"), "1m", "2"));
    ground.finish().await;
}

#[tokio::test]
async fn machines_share_a_network_of_their_own_in_which_they_do_not_reach_each_other() {
    let Some(engine) = engine().await else { return };
    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.network = Network::Own);
    let both = tokio::join!(ground.create("fs-1"), ground.create("fs-2"));
    both.0.and(both.1).unwrap();
    ground.start("fs-1").await.unwrap();
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0));
    let name = format!("forgescale-{}.containers", ground.deployment());
    let network = ground.engine.client.inspect_network(&name, None::<bollard::query_parameters::InspectNetworkOptions>);
    let network = network.await.unwrap();
    assert_eq!(network.driver.as_deref(), Some("bridge"));
    assert_eq!(network.options.unwrap()["com.docker.network.bridge.enable_icc"], "false");
    for container in ground.engine.inspected(ground.deployment()).await {
        assert_eq!(container.host_config.unwrap().network_mode, network.id);
    }
    let before = ground.engine.things(ground.deployment()).await;
    ground.backend.close(WithCaches::Keep).await.unwrap();
    assert_eq!(ground.engine.things(ground.deployment()).await, before, "what is in use stays");
    ground.finish().await;
}

#[tokio::test]
async fn what_an_operator_asks_for_is_what_a_job_finds() {
    let Some(engine) = engine().await else { return };
    let script = "cat > /dev/null
        echo x 2>/dev/null > /file || echo image is read-only
        echo x > /scratch/file && echo scratch
        printf '#!/bin/sh\\necho runs' > /scratch/program; /bin/busybox chmod +x /scratch/program; /scratch/program
        echo \"files $(ulimit -n) $(ulimit -Hn)\"
        ls /dev/other";
    let hardening = Hardening {
        read_only: true,
        tmpfs: vec![Tmpfs { path: "/scratch".to_owned(), options: None }],
        ulimits: vec![Ulimit { name: "nofile".to_owned(), soft: 300, hard: 400 }],
        devices: vec![Device { host: "/dev/null".into(), container: "/dev/other".into(), permissions: "r".into() }],
        ..Hardening::default()
    };
    let ground = Ground::new(engine, script, |settings| settings.hardening = hardening);
    ground.run("fs-1").await;
    assert_eq!(ground.ended("fs-1").await, Exit::Code(0), "{:#?}", ground.log("fs-1").await);
    let expected = ["image is read-only", "scratch", "runs", "files 300 400", "/dev/other"];
    assert_eq!(ground.log("fs-1").await, expected);
    ground.finish().await;
}

#[tokio::test]
async fn graphics_processors_and_user_namespaces_are_the_engines_to_give() {
    let Some(engine) = engine().await else { return };
    let hardening =
        Hardening { gpus: Some(Gpus::Count(1)), user_namespace: Some("host".to_owned()), ..Hardening::default() };
    let ground = Ground::new(engine, "cat > /dev/null", |settings| settings.hardening = hardening);
    ground.create("fs-1").await.unwrap();
    let host = ground.engine.inspected(ground.deployment()).await.remove(0).host_config.unwrap();
    let asked = host.device_requests.unwrap().remove(0);
    assert_eq!((asked.count, asked.capabilities), (Some(1), Some(vec![vec!["gpu".to_owned()]])));
    assert_eq!(host.userns_mode.as_deref(), Some("host"));
    ground.finish().await;
}
