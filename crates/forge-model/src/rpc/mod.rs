//! What runners call with their own credentials (protocol 3), without the wire.

mod fetch;
mod refusal;
mod register;
mod update;

pub use fetch::{FetchAnswer, FetchAsk};
pub use refusal::RpcRefusal;
pub use update::{TaskReport, TaskUpdate};

use crate::forge::Forge;
use crate::ids::RunnerId;
use crate::moment::Moment;

/// What a runner presents: the headers `x-runner-uuid` and `x-runner-token`.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// UUID of the registration.
    pub uuid: &'a str,
    /// Its secret.
    pub token: &'a str,
}

/// Whether a call counts as a sign of work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    OfLife,
    OfWork,
}

impl Forge {
    /// Checks credentials and notes that the runner works, as `UpdateTask` does before it looks at its message.
    pub fn authenticate_runner(&mut self, now: Moment, credentials: Credentials<'_>) -> Result<RunnerId, RpcRefusal> {
        self.caller(now, credentials, Sign::OfWork)
    }

    /// Finds the caller and notes that it lives, before the method runs (protocol 3.2).
    fn caller(&mut self, now: Moment, credentials: Credentials<'_>, sign: Sign) -> Result<RunnerId, RpcRefusal> {
        let id = self.runner_of_uuid.get(credentials.uuid).copied().ok_or(RpcRefusal::Unregistered)?;
        let runner = self.runners.get_mut(&id).ok_or(RpcRefusal::Unregistered)?;
        if runner.token != credentials.token {
            return Err(RpcRefusal::Unregistered);
        }
        runner.last_online = Some(now);
        if sign == Sign::OfWork {
            runner.last_active = Some(now);
        }
        self.books.contacted(id, now);
        Ok(id)
    }
}
