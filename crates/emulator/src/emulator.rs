//! Starting, scripting, watching and stopping an emulated forge.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use forge_model::{Forge, Moment, Settings, Version};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::calls::Calls;
use crate::clock::EmulatorClock;
use crate::faults::Faults;
use crate::latency::AnswerTimes;
use crate::server::{Connection, SeverableListener, Shared, serve, tick};

/// How long stopping waits for requests that are being answered.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How an emulated forge is started.
#[derive(Clone, Debug)]
pub struct EmulatorSettings {
    /// Settings of the forge.
    pub forge: Settings,
    /// Keeps `forge.root_url` as it is; else it becomes the address that the emulator listens on.
    pub keep_root_url: bool,
    /// Seed of all identifiers.
    pub seed: u64,
    /// How long answers take.
    pub latency: AnswerTimes,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The forge's clock.
    pub clock: EmulatorClock,
    /// How often the forge does by itself what is due.
    pub tick: Duration,
}

impl EmulatorSettings {
    /// A free loopback port, the wall clock, no added answer times.
    pub fn new(version: Version) -> Self {
        Self {
            forge: Settings::new(version, "http://127.0.0.1/"),
            keep_root_url: false,
            seed: 1,
            latency: AnswerTimes::zero(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: EmulatorClock::real(),
            tick: Duration::from_millis(20),
        }
    }
}

/// The emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A running emulated forge. Dropping it stops it.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
    ticker: JoinHandle<()>,
}

impl Emulator {
    /// Starts an empty forge.
    pub async fn start(settings: EmulatorSettings) -> Result<Self, StartError> {
        let forge = Forge::new(settings.forge.clone(), settings.seed, settings.clock.now());
        Self::resume(settings, forge).await
    }

    /// Starts a forge that has a past, as after a restart. Its own settings stay.
    pub async fn resume(settings: EmulatorSettings, mut forge: Forge) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if !settings.keep_root_url {
            forge.settings_mut().root_url = format!("http://{address}/");
        }
        let shared = Arc::new(Shared {
            forge: Mutex::new(forge),
            calls: Mutex::new(Calls::default()),
            faults: Faults::default(),
            clock: settings.clock,
            latency: settings.latency,
        });
        let (stop, mut stopped) = watch::channel(false);
        let service = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<Connection>();
        let server = tokio::spawn(async move {
            let until_stopped = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let served = axum::serve(SeverableListener(listener), service).with_graceful_shutdown(until_stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the emulated forge stopped serving");
            }
        });
        let ticker = tokio::spawn(tick(Arc::clone(&shared), settings.tick));
        Ok(Self { shared, address, stop, server: Some(server), ticker })
    }

    /// The address, without a final `/`: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scripts or reads the forge; no request is answered meanwhile. What is due at that moment has been done.
    pub fn with_forge<R>(&self, script: impl FnOnce(&mut Forge, Moment) -> R) -> R {
        let now = self.shared.clock.now();
        let mut forge = self.shared.forge();
        forge.advance(now);
        script(&mut forge, now)
    }

    /// Requests so far.
    pub fn calls(&self) -> Calls {
        self.shared.calls().clone()
    }

    /// Rules for what goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The forge's clock.
    pub fn clock(&self) -> &EmulatorClock {
        &self.shared.clock
    }

    /// Stops listening, closes idle connections and waits for requests that are being answered, 2 s at most. Gives the
    /// forge's last state, for [`Emulator::resume`].
    pub async fn stop(mut self) -> Forge {
        self.stop.send_replace(true);
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(STOP_GRACE, &mut server).await.is_err()
        {
            server.abort();
        }
        self.shared.forge().clone()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.ticker.abort();
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}
