//! How long one plan takes: `cargo bench -p planner` prints one line for each count of waiting jobs, beside 1,000 machines
//! whose jobs run. `plan` is one plan, `step` is one turn of the owner with it, `fold` the reading of one job list.
//!
//! Each figure is the best of several runs on one core: what disturbs a run only ever makes it longer.
#![expect(clippy::print_stdout, reason = "its lines are what a bench is for")]
#![expect(clippy::disallowed_types, reason = "what is measured reads no clock; what measures must")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use planner::event::Event;
use planner::fold::fold;
use planner::ids::{
    BackendId, DeploymentId, ForgeId, Handle, JobKey, JobName, PoolId, RunnerUuid, ScopeId, ScopeKey, TaskId, Try,
};
use planner::label::Label;
use planner::plan::plan;
use planner::policy::{BackendPolicy, Clocks, Limits, Policy, PoolPolicy, ScopePolicy, WarmPolicy};
use planner::seen::{Binding, JobSeen, JobState, JobTags, Listing, MachineSeen, MachineState};
use planner::state::State;
use planner::step::step;
use planner::time::Tick;

/// Machines that exist, each with its running job.
const MACHINES: u32 = 1_000;

/// Counts of waiting jobs.
const SIZES: [i64; 4] = [100, 1_000, 10_000, 100_000];

/// Repositories that the jobs belong to.
const REPOSITORIES: i64 = 200;

/// Runs of each measurement.
const RUNS: usize = 15;

fn main() {
    println!("waiting  machines  plan_ms  step_ms  fold_ms");
    for size in SIZES {
        let policy = policy();
        let (state, jobs) = world(&policy, size);
        let now = Tick(100_000);
        let planned = best(|| state.clone(), |state| drop(black_box(plan(&policy, state, now))));
        let stepped = best(|| state.clone(), |state| drop(black_box(step(&policy, state, now))));
        let folded = best(|| state.clone(), |state| fold(state, &policy, &jobs, now));
        println!("{size:>7}  {MACHINES:>8}  {planned:>7.2}  {stepped:>7.2}  {folded:>7.2}");
    }
}

/// The shortest time of a call in milliseconds; what it works on is made anew for each run, outside the measurement.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn best(make: impl Fn() -> State, call: impl Fn(&mut State)) -> f64 {
    let mut shortest = Duration::MAX;
    for _ in 0..RUNS {
        let mut state = make();
        let begun = Instant::now();
        call(&mut state);
        shortest = shortest.min(begun.elapsed());
    }
    shortest.as_secs_f64() * 1e3
}

fn scope() -> ScopeKey {
    ScopeKey { forge: ForgeId::new("https://forge.example"), scope: ScopeId::new("org:acme") }
}

/// Five pools, of which four are full of machines and one has room for twenty more.
fn policy() -> Policy {
    let backend = BackendId::new("here");
    let pools = (0..5).map(|number| PoolPolicy {
        id: PoolId::new(format!("pool-{number}")),
        labels: [format!("debian-{number}"), "docker".to_owned(), format!("size-{number}")]
            .iter()
            .map(|label| Label::parse(label).expect("the bench's labels are well-formed"))
            .collect(),
        backend: backend.clone(),
        max: MACHINES / 5 + if number == 0 { 20 } else { 0 },
        priority: 0,
        max_per_repository: None,
        clocks: Clocks::default(),
        warm: WarmPolicy::default(),
    });
    let interval = Duration::from_secs(3);
    Policy {
        deployment: DeploymentId::new("ci"),
        max: Some(MACHINES + 100),
        scopes: BTreeMap::from([(
            scope(),
            ScopePolicy { width: 1, interval, has_identity: false, at_repository: false },
        )]),
        pools: pools.collect(),
        backends: BTreeMap::from([(backend, BackendPolicy { max: None, interval, parallel_creates: 8 })]),
        limits: Limits::default(),
        draining: false,
        retired: BTreeMap::new(),
    }
}

/// The state in which the machines' jobs run and `waiting` others wait, and the last list of jobs once more.
fn world(policy: &Policy, waiting: i64) -> (State, Event) {
    let mut state = State::default();
    let machines = (0..MACHINES).map(machine).collect();
    let machines = Listing { begun_at: Tick(1_000), complete: true, rows: machines };
    let backend = BackendId::new("here");
    fold(&mut state, policy, &Event::MachinesListed { backend, listing: machines }, Tick(1_010));
    let runners = Listing { begun_at: Tick(1_000), complete: true, rows: Vec::new() };
    fold(&mut state, policy, &Event::RunnersListed { scope: scope(), listing: runners }, Tick(1_020));
    let jobs = |begun_at| Event::JobsListed {
        scope: scope(),
        listing: Listing {
            begun_at,
            complete: true,
            rows: (0..i64::from(MACHINES) + waiting).map(|id| job(id, i64::from(MACHINES))).collect(),
        },
    };
    fold(&mut state, policy, &jobs(Tick(2_000)), Tick(2_010));
    (state, jobs(Tick(99_000)))
}

fn handle(id: i64) -> Handle {
    Handle::new(format!("{:08x}-5b1c-4c5f-9d3e-{id:012x}", id.wrapping_mul(0x9e37_79b9) & 0xffff_ffff))
}

fn job(id: i64, running: i64) -> JobSeen {
    JobSeen {
        handle: handle(id),
        id,
        repository: id % REPOSITORIES,
        run: None,
        name: JobName::new(format!("build (linux, {id})")),
        runs_on: vec![format!("debian-{}", id % 5), "docker".to_owned()].into(),
        state: if id < running { JobState::Running { task: TaskId(id + 1) } } else { JobState::Waiting },
    }
}

fn machine(number: u32) -> MachineSeen {
    let job = JobKey { forge: scope().forge, handle: handle(i64::from(number)) };
    MachineSeen {
        name: planner::identity::machine_name(&DeploymentId::new("ci"), &job, Try(1)),
        tags: JobTags {
            pool: PoolId::new(format!("pool-{}", number % 5)),
            scope: scope(),
            handle: job.handle.clone(),
            attempt: Try(1),
            scope_id: None,
        }
        .into(),
        binding: Some(Binding {
            handle: job.handle,
            attempt: Try(1),
            runner: RunnerUuid::new(format!("00000000-0000-4000-8000-{number:012x}")),
            at: None,
        }),
        state: MachineState::Running,
    }
}
