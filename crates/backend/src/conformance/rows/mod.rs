//! The rows: what is tried, in words, and where.

mod creating;
mod ending;
mod listing;
mod restarting;
mod starting;
mod warm;

use super::Harness;
use super::ground::Ground;

macro_rules! rows {
    ($($(#[$doc:meta])* $row:ident, $word:literal, $words:literal, $perform:path;)*) => {
        /// What is tried of a backend.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Row {
            $($(#[$doc])* $row,)*
        }

        impl Row {
            /// All of them, in the order in which they are tried.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$row),*];

            /// A short word, fit for a name.
            pub fn word(self) -> &'static str {
                match self { $(Self::$row => $word),* }
            }

            /// Whether it is about machines that are made without a job.
            pub fn is_warm(self) -> bool {
                self.word().starts_with("warm")
            }

            /// What it is about.
            pub fn words(self) -> &'static str {
                match self { $(Self::$row => $words),* }
            }
        }

        pub(super) async fn perform<H: Harness>(ground: &Ground<'_, H>, row: Row) -> Result<(), String> {
            match row { $(Row::$row => Box::pin($perform(ground)).await),* }
        }
    };
}

rows! {
    /// The same name again returns the same living machine.
    CreatedTwice, "twice", "created twice with one name, it is one machine", creating::twice;
    /// Two calls for one name at the same time.
    CreatedAtOnce, "at-once", "created twice at the same time, it is one machine", creating::at_once;
    /// What a listing gives back.
    TagsKept, "tags", "what it was made with is listed", creating::tags_kept;
    /// The answer to a create is lost at any moment.
    CreateUnanswered, "unanswered", "a create whose answer was lost is found by its name", creating::unanswered;
    /// A name that has ended is used up.
    NameUsedUp, "used-up", "the name of one that has ended is refused", creating::used_up;
    /// The binding is there when start is answered.
    BindingSeen, "binding", "the binding is seen once it was started", starting::binding_seen;
    /// A machine takes one launch.
    OneLaunch, "one-launch", "another launch on the same machine is refused", starting::one_launch;
    /// A start on nothing.
    StartWithoutMachine, "no-machine", "a start without a machine is refused", starting::without_machine;
    /// The answer to a start is lost at any moment.
    StartUnanswered, "start-lost", "a start whose answer was lost is bound, or never runs", starting::unanswered;
    /// The runner's exit code.
    ExitCodes, "exit", "the exit code is seen", ending::exit_codes;
    /// A runner that obeys.
    AskedToEnd, "asked", "a runner is asked to end and has time for it", ending::asked;
    /// A runner that does not.
    Killed, "killed", "a runner that does not end is killed", ending::killed;
    /// Destroying what is gone.
    DestroyedTwice, "destroyed", "destroyed twice, or never made, it is gone", ending::destroyed_twice;
    /// Destroying what is being made.
    DestroyedWhileCreating, "creating", "destroyed while it is created, it goes", ending::destroyed_while_creating;
    /// Destroying what was never started.
    DestroyedUnstarted, "unstarted", "destroyed before it was started, it goes", ending::destroyed_unstarted;
    /// The output of a runner.
    LogsBounded, "logs", "the end of a long output is kept, and no more", ending::logs_bounded;
    /// Where the token may be.
    TokenNowhere, "token", "the token is nowhere else", starting::token_nowhere;
    /// Another deployment on the same engine.
    OtherDeployment, "foreign", "machines of another deployment are unseen and untouched", listing::other_deployment;
    /// Something unreadable.
    PartialList, "partial", "what cannot be read makes a list incomplete and hides no other", listing::partial;
    /// A restart between create and start.
    RestartCreated, "re-created", "a restart after create: it is started, or it ends", restarting::created;
    /// A restart while the runner runs.
    RestartRunning, "re-running", "a restart while it runs: it goes on, bound as before", restarting::running;
    /// A restart after the end.
    RestartEnded, "re-ended", "a restart after its end: the exit code is still seen", restarting::ended;
    /// A restart while it is being stopped.
    RestartStopping, "re-stopping", "a restart while it is stopped: it goes", restarting::stopping;
    /// A machine without a job.
    WarmIdle, "warm", "made without a job, it is ready until it gets one", warm::idle;
    /// A job for it.
    WarmBound, "warm-bound", "bound to a job later, its binding and exit code are seen", warm::bound;
    /// A runner that waited in vain.
    WarmReleased, "warm-back", "taken back from its runner, it is ready and takes another", warm::released;
    /// What cannot be taken back.
    WarmNotReleased, "warm-used", "what has ended or has a job of its own is not taken back", warm::not_released;
    /// The answer to a create of it is lost at any moment.
    WarmCreateUnanswered, "warm-made", "a create without a job whose answer was lost is found", warm::create_unanswered;
    /// The answer to its binding is lost at any moment.
    WarmBindUnanswered, "warm-lost", "a binding whose answer was lost is bound, or never runs", warm::bind_unanswered;
    /// The answer to a release is lost at any moment.
    WarmReleaseUnanswered, "warm-half", "taken back half-way, it is bound still, or ready", warm::release_unanswered;
    /// Destroyed without a job, and with one.
    WarmDestroyed, "warm-gone", "destroyed without a job or with one, it goes", warm::destroyed;
    /// A restart in each of its phases.
    WarmRestart, "warm-re", "a restart: it is ready or bound as before", warm::restarted;
    /// Where the tokens may be.
    WarmTokenNowhere, "warm-token", "the token of a runner that was taken back is nowhere", warm::token_nowhere;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Row;

    #[test]
    fn every_row_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Row::ALL.iter().map(|row| row.word()).collect();
        assert_eq!(words.len(), Row::ALL.len());
    }
}
