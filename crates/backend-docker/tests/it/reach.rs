//! What a job reaches over the network, in the mode and network that hold by default: what docs/concepts/isolation.md says.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use backend_docker::Network;

use crate::engine::engine;
use crate::machine::{Ground, until};

/// Tells everybody who connects that they did; the port.
fn listening(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = connection.and_then(|mut connection| connection.write_all(b"yes\n"));
        }
    });
    port
}

/// Tries the host and the neighbour, then listens for neighbours of its own.
const SCRIPT: &str = "cat > /dev/null
    host=$(/bin/busybox ip route | /bin/busybox awk '/^default/ { print $3 }')
    mine=$(/bin/busybox ip -4 addr show eth0 | /bin/busybox awk '/inet / { sub(\"/.*\", \"\", $2); print $2 }')
    try() { echo \"$1: $(/bin/busybox nc -w 2 $2 $3 2>/dev/null < /dev/null || echo no)\"; }
    try everywhere $host $EVERYWHERE
    try loopback $host $LOOPBACK
    for last in 2 3; do [ ${host%.*}.$last = $mine ] || try neighbour ${host%.*}.$last 8080; done
    echo listens
    while :; do echo yes | /bin/busybox nc -l -p 8080; done";

#[tokio::test]
async fn a_job_reaches_what_listens_on_all_addresses_of_the_host_and_no_loopback_or_neighbour() {
    let Some(engine) = engine().await else { return };
    let ports = [("EVERYWHERE", listening("0.0.0.0")), ("LOOPBACK", listening("127.0.0.1"))];
    let ground = Ground::new(engine, SCRIPT, |settings| {
        settings.network = Network::Own;
        settings.environment = ports.map(|(name, port)| (name.to_owned(), port.to_string())).into();
    });
    let mut log = Vec::new();
    for name in ["fs-1", "fs-2"] {
        ground.run(name).await;
        until("it has tried all", async || {
            log = ground.log(name).await;
            log.iter().any(|line| line == "listens")
        })
        .await;
    }
    assert_eq!(log, ["everywhere: yes", "loopback: no", "neighbour: no", "listens"]);
    // The neighbour could have been reached: from the host it can.
    for container in ground.engine.inspected(ground.deployment()).await {
        let networks = container.network_settings.unwrap().networks.unwrap();
        let address: IpAddr = networks.into_values().next().unwrap().ip_address.unwrap().parse().unwrap();
        let mut said = String::new();
        until("the neighbour answers the host", async || {
            let connected = TcpStream::connect(SocketAddr::new(address, 8080));
            connected.is_ok_and(|mut connection| connection.read_to_string(&mut said).is_ok() && said == "yes\n")
        })
        .await;
    }
    ground.finish().await;
}
