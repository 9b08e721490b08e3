//! Declaring labels, and the deprecated way to register.

use super::{Credentials, RpcRefusal, Sign};
use crate::forge::Forge;
use crate::ids::RunnerId;
use crate::moment::Moment;
use crate::rest::{Registration, RunnerRow};
use crate::runner::Area;

impl Forge {
    /// Replaces the stored labels and version. Every fetch reads them from there, so a label that no job uses fences the
    /// runner without disturbing a job that it has (protocol 2.11).
    pub fn declare(
        &mut self,
        now: Moment,
        credentials: Credentials<'_>,
        version: &str,
        labels: &[String],
    ) -> Result<RunnerRow, RpcRefusal> {
        let id = self.caller(now, credentials, Sign::OfLife)?;
        self.set_declared(id, version, labels);
        self.get_runner(now, Area::Instance, id).map_err(|_| RpcRefusal::Unregistered)
    }

    fn set_declared(&mut self, id: RunnerId, version: &str, labels: &[String]) {
        if let Some(runner) = self.runners.get_mut(&id) {
            version.clone_into(&mut runner.version);
            runner.labels = Some(labels.to_vec());
        }
    }

    /// Registers with a registration token instead of REST (deprecated, protocol 3.4).
    pub fn register_by_token(
        &mut self,
        now: Moment,
        token: &str,
        name: &str,
        version: &str,
        labels: &[String],
        ephemeral: bool,
    ) -> Result<Registration, RpcRefusal> {
        if token.is_empty() || name.is_empty() {
            return Err(RpcRefusal::Invalid("missing runner token, name"));
        }
        let area = self
            .registration_tokens
            .iter()
            .find_map(|(area, known)| (known == token).then_some(*area))
            .ok_or(RpcRefusal::Invalid("runner registration token not found"))?;
        let registration = self
            .register_runner(now, area, name, "", ephemeral)
            .map_err(|_| RpcRefusal::Invalid("missing runner token, name"))?;
        self.set_declared(registration.id, version, labels);
        Ok(registration)
    }
}
