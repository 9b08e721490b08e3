//! A gate for jobs in containers, which see no file of the test: they ask over the network whether they may end.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Closed until [`Gate::open`].
pub(super) struct Gate {
    address: SocketAddr,
    open: Arc<AtomicBool>,
}

impl Gate {
    pub(super) fn new(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let open = Arc::new(AtomicBool::new(false));
        let is_open = Arc::clone(&open);
        // For the rest of the test's process.
        std::thread::spawn(move || {
            for asking in listener.incoming().flatten() {
                let word = if is_open.load(Ordering::Relaxed) { "go" } else { "wait" };
                // Whoever asks may have been killed.
                let _ = writeln!(&asking, "{word}");
            }
        });
        Self { address, open }
    }

    /// A script that goes on until it is open.
    pub(super) fn script(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!("until [ \"$(/bin/busybox nc -w 2 {ip} {port} < /dev/null)\" = go ]; do sleep 0.2; done")
    }

    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}
