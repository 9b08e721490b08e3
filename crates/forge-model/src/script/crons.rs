//! The forge's own clean-up (protocol 2.7, 2.8). Each can be run by hand; three also run by schedule.

use std::time::Duration;

use crate::books::RegistrationEnd;
use crate::forge::Forge;
use crate::ids::{JobId, RunnerId, TaskId};
use crate::moment::Moment;
use crate::runner::Area;
use crate::settings::CronPeriods;
use crate::status::Status;

/// Age at which `cleanup_offline_runners` removes a runner: its setting `OLDER_THAN`.
const OFFLINE_RUNNER_AGE: Duration = Duration::from_hours(24);

/// One of the forge's clean-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronTask {
    /// Fails running tasks that were silent for too long.
    StopZombieTasks,
    /// Fails tasks that have run for too long.
    StopEndlessTasks,
    /// Cancels jobs that have waited, or were blocked, for too long.
    CancelAbandonedJobs,
    /// Removes ephemeral runners whose task has ended: a safety net.
    CleanupActions,
    /// Removes global runners that were not online for a day. Off by default on a real forge.
    CleanupOfflineRunners,
}

impl CronTask {
    /// The task with this name in `/admin/cron`.
    pub fn named(name: &str) -> Option<Self> {
        [
            ("stop_zombie_tasks", Self::StopZombieTasks),
            ("stop_endless_tasks", Self::StopEndlessTasks),
            ("cancel_abandoned_jobs", Self::CancelAbandonedJobs),
            ("cleanup_actions", Self::CleanupActions),
            ("cleanup_offline_runners", Self::CleanupOfflineRunners),
        ]
        .into_iter()
        .find_map(|(known, task)| (known == name).then_some(task))
    }
}

/// When the scheduled clean-ups run next.
#[derive(Clone, Debug)]
pub(crate) struct Crons {
    due: Vec<(Moment, Duration, CronTask)>,
}

impl Crons {
    pub(crate) fn started(now: Moment, periods: CronPeriods) -> Self {
        let due = [
            (periods.zombie, CronTask::StopZombieTasks),
            (periods.endless, CronTask::StopEndlessTasks),
            (periods.abandoned, CronTask::CancelAbandonedJobs),
        ]
        .into_iter()
        .filter_map(|(period, task)| period.map(|period| (now + period, period, task)))
        .collect();
        Self { due }
    }

    pub(crate) fn next(&self) -> Option<Moment> {
        self.due.iter().map(|(at, ..)| *at).min()
    }

    /// The clean-ups that are due; several missed periods count as one.
    fn take_due(&mut self, now: Moment) -> Vec<CronTask> {
        let mut tasks = Vec::new();
        for (at, period, task) in &mut self.due {
            if *at <= now {
                *at = now + *period;
                tasks.push(*task);
            }
        }
        tasks
    }
}

impl Forge {
    /// Runs one clean-up now.
    pub fn run_cron(&mut self, now: Moment, task: CronTask) {
        match task {
            CronTask::StopZombieTasks => self.stop_zombie_tasks(now),
            CronTask::StopEndlessTasks => self.stop_endless_tasks(now),
            CronTask::CancelAbandonedJobs => self.cancel_abandoned_jobs(now),
            CronTask::CleanupActions => self.cleanup_actions(now),
            CronTask::CleanupOfflineRunners => self.cleanup_offline_runners(now),
        }
    }

    /// What a forge does when it starts: the scheduled clean-ups run at once (protocol 2.7). After more than the zombie
    /// timeout without the forge this fails every task that was running, since none could report.
    pub fn start_up(&mut self, now: Moment) {
        self.crons = Crons::started(now, self.settings.cron_periods);
        for task in [CronTask::StopZombieTasks, CronTask::StopEndlessTasks, CronTask::CancelAbandonedJobs] {
            self.run_cron(now, task);
        }
    }

    pub(crate) fn run_due_crons(&mut self, now: Moment) {
        for task in self.crons.take_due(now) {
            self.run_cron(now, task);
        }
    }

    fn stop_zombie_tasks(&mut self, now: Moment) {
        let timeout = self.settings.zombie_timeout;
        self.fail_tasks(now, |task| now.since(task.updated) > timeout);
    }

    fn stop_endless_tasks(&mut self, now: Moment) {
        let timeout = self.settings.endless_timeout;
        self.fail_tasks(now, |task| now.since(task.started) > timeout);
    }

    fn fail_tasks(&mut self, now: Moment, is_over: impl Fn(&crate::job::Task) -> bool) {
        let over: Vec<TaskId> =
            self.queue.tasks.iter().filter(|id| self.tasks.get(id).is_some_and(&is_over)).copied().collect();
        for task in over {
            self.end_task(now, task, Status::Failure);
        }
    }

    fn cancel_abandoned_jobs(&mut self, now: Moment) {
        let timeout = self.settings.abandoned_timeout;
        let over: Vec<JobId> = self
            .queue
            .untouched
            .iter()
            .take_while(|(updated, _)| now.since(*updated) > timeout)
            .map(|(_, job)| *job)
            .collect();
        for job in over {
            self.cancel(now, job);
        }
    }

    fn cleanup_actions(&mut self, now: Moment) {
        let busy: std::collections::BTreeSet<RunnerId> =
            self.queue.tasks.iter().filter_map(|id| self.tasks.get(id)).map(|task| task.runner).collect();
        self.sweep(now, |runner| runner.ephemeral && runner.had_task && !busy.contains(&runner.id));
    }

    fn cleanup_offline_runners(&mut self, now: Moment) {
        self.sweep(now, |runner| {
            let last = runner.last_online.unwrap_or(runner.created);
            runner.area == Area::Instance && now.since(last) > OFFLINE_RUNNER_AGE
        });
    }

    fn sweep(&mut self, now: Moment, is_over: impl Fn(&crate::runner::Runner) -> bool) {
        let over: Vec<RunnerId> =
            self.runners.values().filter(|runner| is_over(runner)).map(|runner| runner.id).collect();
        for runner in over {
            self.unregister(runner, RegistrationEnd::Swept(now));
        }
    }
}
