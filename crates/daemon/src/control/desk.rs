//! Where requests arrive, from the socket and from signals, and are brought before the owner.

use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::message::{Left, Reloaded, Reply, Request, Said};
use crate::parts::Parts;
use crate::reload::InUse;

/// How long the owner may take to answer. It plans within milliseconds; writing its report may wait for a disk, and a look
/// at everything for a forge.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the owner is asked to do between two plans.
#[derive(Debug)]
pub(crate) enum Order {
    /// Let the kills go on that are held now; the answer is how many there are, and what is left of their grace.
    Confirm {
        /// Where the answer goes.
        answer: oneshot::Sender<(u32, Duration)>,
    },
    /// Use another configuration from now on; the answer is which pools drain, or why nothing has changed.
    Use {
        /// What follows from it.
        parts: Box<Parts>,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Vec<String>, Vec<Said>>>,
    },
    /// Say what there is to clean up.
    Gc {
        /// Whether to list everything at once before answering.
        list: bool,
        /// Where the answer goes.
        answer: oneshot::Sender<Left>,
    },
}

/// Takes requests.
#[derive(Debug)]
pub(crate) struct Desk {
    orders: mpsc::Sender<Order>,
    /// Held while the configuration is read again: one at a time. Nothing where it came from no file.
    in_use: Mutex<Option<InUse>>,
}

impl Desk {
    pub(crate) fn new(orders: mpsc::Sender<Order>, in_use: Option<InUse>) -> Self {
        Self { orders, in_use: Mutex::new(in_use) }
    }

    /// Does what is asked for; always answers.
    pub(crate) async fn ask(&self, request: Request) -> Reply {
        let answered = match request {
            Request::Confirm => self.order(|answer| Order::Confirm { answer }).await.map(|(kills, grace)| {
                Reply::Confirmed { kills, grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) }
            }),
            Request::Reload => self.reload().await,
            Request::Gc { list } => self.order(|answer| Order::Gc { list, answer }).await.map(Reply::Cleaning),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }

    /// Reads the configuration again and has it used. What comes of it is logged, too: a signal has nobody to answer.
    async fn reload(&self) -> Result<Reply, Reply> {
        let mut in_use = self.in_use.lock().await;
        let result = match in_use.clone() {
            Some(current) => self.exchange(current).await,
            None => Err(Reply::refused(
                "this daemon was not started with a configuration file",
                "start it with `forgescale run --config FILE`",
            )),
        };
        match result {
            Ok((next, reloaded)) => {
                *in_use = Some(next);
                log(&reloaded);
                Ok(Reply::Reloaded(reloaded))
            }
            Err(refusal) => {
                if let Reply::Refused { reasons } | Reply::Unusable { reasons } = &refusal {
                    for Said { text, hint } in reasons {
                        tracing::warn!(reason = text, hint, "the configuration was not reloaded: nothing has changed");
                    }
                }
                Err(refusal)
            }
        }
    }

    async fn exchange(&self, current: InUse) -> Result<(InUse, Reloaded), Reply> {
        let refused = |reasons| Reply::Refused { reasons };
        let before = current.clone();
        let read = tokio::task::spawn_blocking(move || current.read_again()).await;
        let next = read.map_err(|_| Reply::refused("reading the configuration failed", "please report this defect"))?;
        let mut next = next.map_err(|reasons| Reply::Unusable { reasons })?;
        before.judge_tokens(&mut next).await.map_err(refused)?;
        let parts = Box::new(next.parts);
        let draining = self.order(|answer| Order::Use { parts, answer }).await?.map_err(refused)?;
        Ok((next.in_use, Reloaded { draining, ..next.reloaded }))
    }

    /// Hands the owner an order and waits for its answer.
    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Reply> {
        let (answer, answered) = oneshot::channel();
        let ending = || Reply::refused("the daemon is about to end", "ask the next one");
        let asked = async {
            self.orders.send(order(answer)).await.map_err(|_| ending())?;
            answered.await.map_err(|_| ending())
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            Err(Reply::refused("the daemon is too busy to answer", "ask again; if that does not help, look at its log"))
        })
    }
}

fn log(reloaded: &Reloaded) {
    tracing::info!(changed = reloaded.changed.len(), "the configuration was reloaded");
    for change in &reloaded.changed {
        tracing::info!(change, "changed by the reload");
    }
    for key in &reloaded.restart {
        tracing::warn!(key, "this was changed in the configuration and needs a restart: the old value stays");
    }
    for pool in &reloaded.draining {
        tracing::info!(pool, "a pool drains");
    }
    for Said { text, .. } in &reloaded.warnings {
        tracing::warn!(warning = text, "the configuration is doubtful");
    }
}
