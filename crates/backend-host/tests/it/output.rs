//! The runner's output.

use std::fs;

use planner::seen::Exit;

use crate::host::Host;

#[tokio::test]
async fn output_without_end_is_bounded_and_its_end_is_kept() {
    let limit = 200_000;
    let host =
        Host::with_runner("yes 0123456789012345678901234567890123456789 | head -c 50000000; echo; echo last >&2");
    let host = host.changed(|settings| settings.log_limit = limit);
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    let length = |name: &str| fs::metadata(host.folder("fs-1").join(name)).unwrap().len();
    let kept = length("runner.log") + length("runner.log.1");
    assert!(kept <= limit && kept > limit / 2, "{kept}");
    let log = host.log("fs-1").await;
    assert_eq!((log.len(), log[49].as_str()), (50, "last"));
    host.finish().await;
}

#[tokio::test]
async fn the_last_lines_are_given_in_order_and_cut_to_a_length() {
    let host = Host::with_runner("seq 1 200; head -c 5000 /dev/zero | tr '\\0' x; echo; printf 'no\\377text'");
    host.run("fs-1").await;
    assert_eq!(host.ended("fs-1").await, Exit::Code(0));
    let log = host.log("fs-1").await;
    assert_eq!(log.len(), 50);
    assert_eq!((log[0].as_str(), log[47].as_str()), ("153", "200"));
    assert_eq!((log[48].len(), log[49].as_str()), (1000, "no\u{fffd}text"));
    host.finish().await;
}

#[tokio::test]
async fn a_machine_that_printed_nothing_has_an_empty_log() {
    let host = Host::with_runner("");
    host.create("fs-1").await.unwrap();
    assert_eq!(host.log("fs-1").await, Vec::<String>::new());
    host.finish().await;
}
