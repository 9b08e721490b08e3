//! The binary against a real Forgejo, in all four scopes.
//!
//! ```text
//! Stage: real forge ◄─ REST, RPC ─ forgescale run (child) ─► supervisors ─► runners ─► jobs
//!            ▲
//!            └─ REST: organization, repositories, workflows, results, logs ─ this process
//! ```
//!
//! All tests are ignored, since they need a server:
//!
//! ```sh
//! export FORGESCALE_TEST_FORGEJO_URL=http://127.0.0.1:3000
//! export FORGESCALE_TEST_FORGEJO_TOKEN=…       # all scopes, of a site administrator
//! export FORGESCALE_TEST_RUNNER=forgejo-runner # else the stand-in
//! export FORGESCALE_TEST_FORGEJO_RESTART='systemctl restart forgejo' # else no restart is tested
//! cargo test -p cli --test it real_forgejo -- --ignored
//! ```
//!
//! Each test makes what it needs under names of its own, serves only a label of its own, and removes all of it in the
//! end, so that a server that is used for other things is left as it was. Version 15 has neither results of single jobs
//! nor logs nor cancellation by REST (protocol 1.8): there results are read from the tasks, logs from the pages, and a
//! newer push cancels. What may differ by version is in [`forge`]; scenarios are the same for all.
//!
//! Deliberately absent: figures, and whatever only an emulator can be made to do.

mod cancelling;
mod concurrency;
mod dispatching;
mod ending;
mod forge;
mod killed;
mod restarted;
mod results;
mod secrets;
mod settings;
mod stage;
