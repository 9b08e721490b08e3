//! What is remembered of machines. It is kept when the backend gets other settings: what is under way goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use planner::ids::MachineName;
use planner::seen::Exit;
use tokio::sync::OwnedMutexGuard;

use crate::unstarted::Unstarted;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) unstarted: Unstarted,
    held: Mutex<BTreeMap<MachineName, Held>>,
    /// How containers ended, by the engine's id. They never start again.
    exits: Mutex<BTreeMap<String, Exit>>,
    /// Whether it is known that no machine has companions, nor will have.
    no_companions: AtomicBool,
    /// Names of containers of ours that could not be read when they were listed last.
    unreadable: Mutex<BTreeSet<String>>,
}

/// What is remembered of a machine.
#[derive(Debug, Default)]
struct Held {
    turn: Arc<tokio::sync::Mutex<()>>,
    asked_to_end: Option<Instant>,
    /// Whether this daemon has begun to bind and start it.
    handed_over: bool,
    /// Whether this daemon has ended what it reads its launch from.
    input_ended: bool,
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, BTreeMap<MachineName, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exits(&self) -> MutexGuard<'_, BTreeMap<String, Exit>> {
        self.exits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this call's turn at a machine.
    pub(crate) async fn turn(&self, name: &MachineName) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(&self.held().entry(name.clone()).or_default().turn);
        turn.lock_owned().await
    }

    /// This call's turn at a machine, if no other one has it.
    pub(crate) fn try_turn(&self, name: &MachineName) -> Option<OwnedMutexGuard<()>> {
        let turn = Arc::clone(&self.held().entry(name.clone()).or_default().turn);
        turn.try_lock_owned().ok()
    }

    /// Whether this daemon has asked it to end.
    pub(crate) fn asked_to_end(&self, name: &MachineName) -> bool {
        self.held().get(name).is_some_and(|held| held.asked_to_end.is_some())
    }

    /// Notes that this daemon binds and starts it.
    pub(crate) fn hands_over(&self, name: &MachineName) {
        let mut held = self.held();
        let of = held.entry(name.clone()).or_default();
        of.handed_over = true;
        of.input_ended = false;
    }

    /// Notes that nothing more comes for it to read.
    pub(crate) fn ended_input(&self, name: &MachineName) {
        self.held().entry(name.clone()).or_default().input_ended = true;
    }

    /// Whether nothing more comes for it to read, as far as this daemon knows.
    pub(crate) fn has_ended_input(&self, name: &MachineName) -> bool {
        self.held().get(name).is_some_and(|held| held.input_ended)
    }

    /// Forgets that it was bound.
    pub(crate) fn took_back(&self, name: &MachineName) {
        if let Some(held) = self.held().get_mut(name) {
            (held.handed_over, held.input_ended) = (false, false);
        }
    }

    /// Whether it was this daemon that bound it.
    pub(crate) fn has_handed_over(&self, name: &MachineName) -> bool {
        self.held().get(name).is_some_and(|held| held.handed_over)
    }

    /// Notes that it is asked to end now; false if it was asked before.
    pub(crate) fn ask_to_end(&self, name: &MachineName, now: Instant) -> bool {
        let mut held = self.held();
        let asked = &mut held.entry(name.clone()).or_default().asked_to_end;
        let is_first = asked.is_none();
        asked.get_or_insert(now);
        is_first
    }

    /// It was not asked after all.
    pub(crate) fn take_back_asking(&self, name: &MachineName) {
        if let Some(held) = self.held().get_mut(name) {
            held.asked_to_end = None;
        }
    }

    /// Whether it has had its time to end, counted from when it was asked.
    pub(crate) fn time_is_over(&self, name: &MachineName, stop: Duration, now: Instant) -> bool {
        let asked = self.held().get(name).and_then(|held| held.asked_to_end);
        stop.is_zero() || asked.is_some_and(|asked| now.saturating_duration_since(asked) >= stop)
    }

    /// How a container ended, if that is known.
    pub(crate) fn exit(&self, id: &str) -> Option<Exit> {
        self.exits().get(id).copied()
    }

    /// Notes how a container ended.
    pub(crate) fn ended(&self, id: String, exit: Exit) {
        self.exits().insert(id, exit);
    }

    /// Whether there may be companions of machines.
    pub(crate) fn may_have_companions(&self) -> bool {
        !self.no_companions.load(Ordering::SeqCst)
    }

    /// Notes that some are being made.
    pub(crate) fn makes_companions(&self) {
        self.no_companions.store(false, Ordering::SeqCst);
    }

    /// Notes that there are none, and none are made by these settings.
    pub(crate) fn has_no_companions(&self) {
        self.no_companions.store(true, Ordering::SeqCst);
    }

    /// Forgets what is remembered of machines that are gone and that no call is about.
    pub(crate) fn forget_gone(&self, is_there: impl Fn(&MachineName) -> bool, is_known: impl Fn(&str) -> bool) {
        self.held().retain(|name, held| is_there(name) || Arc::strong_count(&held.turn) > 1);
        self.exits().retain(|id, _| is_known(id));
    }

    /// Notes which containers cannot be read; whether they are others than before.
    pub(crate) fn cannot_read(&self, unreadable: BTreeSet<String>) -> bool {
        let mut before = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *before != unreadable;
        *before = unreadable;
        differs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_containers_are_worth_a_word_when_they_change() {
        let memory = Memory::default();
        let these = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert!(!memory.cannot_read(these(&[])));
        assert!(memory.cannot_read(these(&["a"])));
        assert!(!memory.cannot_read(these(&["a"])));
        assert!(memory.cannot_read(these(&["b"])));
        assert!(memory.cannot_read(these(&[])));
    }

    #[tokio::test]
    async fn what_a_call_is_about_is_not_forgotten() {
        let (memory, name) = (Memory::default(), MachineName::new("fs-1"));
        let turn = memory.turn(&name).await;
        memory.hands_over(&name);
        memory.forget_gone(|_| false, |_| false);
        assert!(memory.has_handed_over(&name));
        drop(turn);
        memory.forget_gone(|_| false, |_| false);
        assert!(!memory.has_handed_over(&name));
    }
}
