//! The signals that the runner answers to (protocol 3.6).
//!
//! SIGTERM and SIGINT stop it in order; SIGQUIT ends it at once with exit code 2, as a panic of the real runner does;
//! SIGHUP is left alone and kills it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The two signals that ask for an orderly end.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over SIGTERM and SIGINT, for the rest of the process's life.
    pub(crate) fn take_over() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one and tells its name. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Takes over SIGQUIT and waits for it.
pub(crate) fn quit() -> io::Result<impl Future<Output = ()>> {
    let mut quit = signal(SignalKind::quit())?;
    Ok(async move {
        quit.recv().await;
    })
}
