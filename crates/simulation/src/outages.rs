//! Faults that come by themselves: outages, tokens, webhooks, mischief. Each picks whom it befalls, and comes again.

use planner::error_class::ErrorClass;
use planner::event::Event;
use planner::ids::{BackendId, ForgeId, MachineName, PoolId, ScopeKey};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::forge::moment;
use crate::happening::Happening;
use crate::judge::Excuse;
use crate::world::{World, note};

/// How long after a machine is listed again the daemon may not have listed it yet.
const LISTED_AGAIN_MS: u64 = 90_000;
/// Faults go on for so long after an outage that was longer than all else.
const AFTERMATH_MS: u64 = 60_000;

/// In so many of a thousand seconds a pause waits on for a moment in which it could do harm.
const PATIENT: u64 = 980;

impl World {
    /// A fault comes, unless all is quiet, and will come again.
    pub(crate) fn befalls(&mut self, fault: Fault) {
        // What lasts long puts off the end of faults, and must not do so for ever.
        let lasts = matches!(fault, Fault::ForgeDown | Fault::Paused | Fault::HostPaused);
        if self.is_quiet() || lasts && self.now > self.quiet_due {
            return;
        }
        if fault == Fault::HostPaused && !self.some_runner_boots() && self.dice.fault(fault).chance(PATIENT) {
            return self.after(1_000, Happening::Befalls { fault });
        }
        if !self.is_deaf_to(fault) && self.weather.lets(fault) {
            self.befall(fault, None, None);
        }
        self.next_of(fault);
    }

    /// Whether nobody can do this to the daemon now: its host stands still, or it does itself and hears nothing.
    fn is_deaf_to(&self, fault: Fault) -> bool {
        let host_until = self.host_pause.1;
        let until = match fault {
            Fault::Killed | Fault::SecondDaemon | Fault::Paused | Fault::Drained => host_until,
            Fault::PoolRemoved | Fault::MaxZero | Fault::LabelsChanged | Fault::WarmChanged | Fault::MadeAnew => {
                host_until.max(self.daemon.paused_until)
            }
            _ => 0,
        };
        self.now < until
    }

    /// Whether a machine has started its runner, which has not contacted the forge yet.
    fn some_runner_boots(&self) -> bool {
        let mut machines = self.backends.values().flat_map(|model| model.machines.values());
        machines.any(|machine| machine.process.as_ref().is_some_and(|process| process.declared_at.is_none()))
    }

    /// A fault comes: to whom and for how long is drawn where it is not said.
    pub(crate) fn befall(&mut self, fault: Fault, whom: Option<&str>, span: Option<u64>) {
        match fault {
            Fault::ForgeAway | Fault::ForgeDown => self.forge_goes(fault, span),
            Fault::BackendAway | Fault::BackendFull => self.backend_goes(fault, whom, span),
            Fault::ImageBroken => self.image_breaks(whom, span),
            Fault::TokenRotated | Fault::TokenStripped | Fault::ScopeSwapped => self.scope_goes(fault, whom, span),
            Fault::HookForged => {
                self.note_fault(fault, "poll now");
                if let Some(forge) = self.some_forge(fault) {
                    self.hook_arrives(&forge);
                }
            }
            Fault::Meddler => self.meddle(whom),
            Fault::Hidden | Fault::Vanishes => self.vanish(fault, whom, span),
            Fault::Killed => self.kill_daemon(span),
            Fault::SecondDaemon => self.second_daemon(),
            Fault::Paused | Fault::HostPaused => self.pause(fault, span),
            Fault::Drained => self.drain(span),
            Fault::PoolRemoved | Fault::MaxZero | Fault::LabelsChanged | Fault::WarmChanged | Fault::MadeAnew => {
                self.change_policy(fault, whom, span);
            }
            Fault::SpareDies => self.spare_dies(whom),
            Fault::Rival => self.rival_asks(),
            Fault::RivalAutoscaler => self.rival_autoscaler_acts(),
            _ => {}
        }
    }

    fn some_forge(&mut self, fault: Fault) -> Option<ForgeId> {
        let forges: Vec<ForgeId> = self.forges.keys().cloned().collect();
        (!forges.is_empty()).then(|| self.dice.fault(fault).pick(&forges).clone())
    }

    /// One that is named, or one of all.
    fn chosen<T: Clone>(all: &[T], whom: Option<&str>, dice: &mut Dice, name: impl Fn(&T) -> String) -> Option<T> {
        match whom {
            Some(whom) => all.iter().find(|one| name(one).contains(whom)).cloned(),
            None if all.is_empty() => None,
            None => Some(dice.pick(all).clone()),
        }
    }

    fn forge_goes(&mut self, fault: Fault, span: Option<u64>) {
        let Some(id) = self.some_forge(fault) else { return };
        let dice = self.dice.fault(fault);
        let drawn = match (fault, dice.between(0, 7)) {
            (Fault::ForgeAway, _) => dice.between(1_000, 70_000),
            (_, 0) => dice.between(1_800_000, 7_200_000),
            _ => dice.between(240_000, 1_800_000),
        };
        let span = span.unwrap_or(drawn);
        let until = self.now + span;
        let Some(forge) = self.forges.get_mut(&id).filter(|forge| forge.is_up) else { return };
        forge.down_until = forge.down_until.max(until);
        if fault == Fault::ForgeDown {
            forge.is_up = false;
            forge.down_until = until;
            self.not_quiet_before = self.not_quiet_before.max(until + AFTERMATH_MS);
            self.after(span, Happening::ForgeUp { forge: id });
        }
        self.note_fault(fault, &format!("{span} ms"));
    }

    /// A forge that was down starts up, and its zombie cron fails every task that could not report (protocol 2.7).
    pub(crate) fn forge_starts_up(&mut self, id: &ForgeId) {
        let running = self.running_on(id);
        for handle in running {
            self.judge.excuse(&handle, Excuse::ForgeAway);
        }
        let now = moment(self.now);
        if let Some(forge) = self.forges.get_mut(id) {
            forge.is_up = true;
            forge.model.start_up(now);
        }
        note!(self, "{id} starts up");
    }

    /// The handles that run on a forge now.
    pub(crate) fn running_on(&self, id: &ForgeId) -> Vec<String> {
        let attempts = self.forge(id).model.books().attempts().iter();
        let running = attempts.filter(|attempt| attempt.status == forge_model::Status::Running);
        running.map(|attempt| attempt.handle.as_str().to_owned()).collect()
    }

    fn backend_goes(&mut self, fault: Fault, whom: Option<&str>, span: Option<u64>) {
        let all: Vec<BackendId> = self.backends.keys().cloned().collect();
        let dice = self.dice.fault(fault);
        let drawn = dice.between(1_000, 90_000);
        let Some(id) = Self::chosen(&all, whom, dice, ToString::to_string) else { return };
        let until = self.now + span.unwrap_or(drawn);
        let Some(model) = self.backends.get_mut(&id) else { return };
        if fault == Fault::BackendAway {
            model.down_until = until;
            self.judge.stays_unknown(self.now, until + LISTED_AGAIN_MS);
        } else {
            model.full_until = until;
        }
        self.note_fault(fault, id.as_str());
    }

    fn image_breaks(&mut self, whom: Option<&str>, span: Option<u64>) {
        let all: Vec<PoolId> = self.first_policy.pools.iter().map(|pool| pool.id.clone()).collect();
        let dice = self.dice.fault(Fault::ImageBroken);
        let drawn = dice.between(30_000, 180_000);
        let Some(pool) = Self::chosen(&all, whom, dice, ToString::to_string) else { return };
        self.note_fault(Fault::ImageBroken, pool.as_str());
        self.broken_images.insert(pool, self.now + span.unwrap_or(drawn));
    }

    fn scope_goes(&mut self, fault: Fault, whom: Option<&str>, span: Option<u64>) {
        let all = self.scopes();
        let dice = self.dice.fault(fault);
        let drawn = dice.between(5_000, 90_000);
        let Some(scope) = Self::chosen(&all, whom, dice, |scope| scope.scope.to_string()) else { return };
        let has_identity = self.policy.scopes.get(&scope).is_some_and(|policy| policy.has_identity);
        let span = span.unwrap_or(drawn);
        let Some(forge) = self.forges.get_mut(&scope.forge) else { return };
        match fault {
            // The instance has no id, so that it means the same to every token.
            Fault::ScopeSwapped if !has_identity => return,
            Fault::ScopeSwapped => {
                forge.strange_tokens.insert(scope.clone());
            }
            Fault::TokenRotated => {
                forge.refused.insert(scope.clone(), ErrorClass::Auth);
            }
            _ => {
                forge.refused.insert(scope.clone(), ErrorClass::Forbidden);
            }
        }
        self.note_fault(fault, scope.scope.as_str());
        let replaced = fault != Fault::TokenStripped;
        self.after(span, Happening::TokenWhole { scope, replaced });
    }

    pub(crate) fn token_is_whole(&mut self, scope: &ScopeKey, replaced: bool) {
        self.look_for_calm();
        if let Some(forge) = self.forges.get_mut(&scope.forge) {
            forge.refused.remove(scope);
            forge.strange_tokens.remove(scope);
            forge.swapped.remove(scope);
        }
        if replaced {
            let life = self.daemon.life;
            self.after(1, Happening::Deliver { life, event: Event::TokenReplaced { scope: scope.clone() } });
        }
    }

    /// Somebody deletes a registration of ours that holds no job.
    fn meddle(&mut self, whom: Option<&str>) {
        let mut idle = Vec::new();
        for (id, forge) in &self.forges {
            let held = |runner| forge.model.books().hand_outs().iter().any(|hand_out| hand_out.runner == runner);
            let ours = forge.model.runners_now().into_iter().filter(|runner| !forge.foreign.contains(runner));
            idle.extend(ours.filter(|runner| !held(*runner)).map(|runner| (id.clone(), runner)));
        }
        let dice = self.dice.fault(Fault::Meddler);
        let Some((id, runner)) = Self::chosen(&idle, whom, dice, |(_, runner)| runner.to_string()) else { return };
        self.note_fault(Fault::Meddler, &runner.to_string());
        let now = moment(self.now);
        if let Some(forge) = self.forges.get_mut(&id) {
            let _ = forge.model.delete_runner(now, forge_model::Area::Instance, runner);
        }
    }

    /// A machine disappears, or only seems to.
    fn vanish(&mut self, fault: Fault, whom: Option<&str>, span: Option<u64>) {
        let machines = |(id, model): (&BackendId, &crate::backends::ModelBackend)| -> Vec<_> {
            model.machines.keys().map(|name| (id.clone(), name.clone())).collect()
        };
        let all: Vec<(BackendId, MachineName)> = self.backends.iter().flat_map(machines).collect();
        let dice = self.dice.fault(fault);
        let drawn = dice.between(1_000, 60_000);
        let Some((backend, name)) = Self::chosen(&all, whom, dice, |(_, name)| name.to_string()) else { return };
        self.note_fault(fault, name.as_str());
        let Some(machine) = self.machine(&backend, &name) else { return };
        if fault == Fault::Hidden {
            machine.hidden = true;
            return self.after(span.unwrap_or(drawn), Happening::Shown { backend, machine: name });
        }
        if let Some((handle, uuid)) = machine.process.as_ref().map(|it| (it.handle.clone(), it.uuid.clone())) {
            self.note_killed(&handle, &uuid);
        }
        self.note_vanished(&name);
        if let Some(model) = self.backends.get_mut(&backend) {
            model.machines.remove(&name);
        }
    }

    pub(crate) fn show_again(&mut self, backend: &BackendId, name: &MachineName) {
        if let Some(machine) = self.machine(backend, name) {
            if !machine.hidden {
                return;
            }
            machine.hidden = false;
            self.judge.calm.ends(self.now);
            let away_until = self.backends.get(backend).map_or(0, |model| model.down_until);
            let paused_until = self.daemon.paused_until.max(self.host_pause.1);
            let until = self.now.max(away_until).max(paused_until) + LISTED_AGAIN_MS;
            self.judge.unknown_until(name, until);
        }
    }

    /// Something has happened at a forge: its webhook says "look now", if it comes at all.
    pub(crate) fn hook(&mut self, forge: &ForgeId) {
        if !self.workload.has_hooks {
            return;
        }
        let words = "poll now";
        if self.strikes(Fault::HookDropped, words) {
            return;
        }
        let late = self.strikes(Fault::HookLate, words);
        let span = if late { self.dice.fault(Fault::HookLate).between(3_000, 30_000) } else { 200 };
        self.after(span, Happening::Hook { forge: forge.clone() });
        if self.strikes(Fault::HookTwice, words) {
            self.after(span + 50, Happening::Hook { forge: forge.clone() });
        }
    }

    /// A webhook comes in: a hint to poll, and nothing more.
    pub(crate) fn hook_arrives(&mut self, forge: &ForgeId) {
        let life = self.daemon.life;
        for scope in self.scopes().into_iter().filter(|scope| scope.forge == *forge) {
            self.after(1, Happening::PollScope { life, scope, again: false });
        }
    }
}
