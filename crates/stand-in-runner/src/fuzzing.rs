//! Reads a workflow payload as a task would bring it: for fuzzing, and in no product.

use runner_rpc::messages::Task;

use crate::contexts::Contexts;
use crate::expression::{Standing, condition, interpolate};
use crate::workflow::Workflow;

/// Reads a payload and every expression in it. The texts of its errors are what its author would be told.
pub fn payload(bytes: &[u8]) -> Result<(), Vec<String>> {
    let workflow = Workflow::parse(bytes).map_err(|error| vec![error.to_string()])?;
    let job = &workflow.job;
    let contexts = Contexts::new(&Task::default(), "http://forge.example", "/workspace", job.matrix());
    let mut errors = Vec::new();
    let mut texts: Vec<&str> = crate::workflow::filled(Some(&workflow.env)).map(|(_, value)| value).collect();
    texts.extend(job.env().chain(job.outputs()).map(|(_, value)| value));
    texts.extend(job.name.as_deref());
    let mut conditions: Vec<&str> = job.condition.as_deref().into_iter().collect();
    for step in &job.steps {
        texts.extend(step.env().map(|(_, value)| value));
        texts.extend(step.run.as_deref());
        texts.push(step.title());
        conditions.extend(step.condition.as_deref());
    }
    errors.extend(texts.iter().filter_map(|text| interpolate(text, &contexts).err()).map(|error| error.to_string()));
    for standing in [Standing::Good, Standing::Failed, Standing::Incomplete] {
        let failed = conditions.iter().filter_map(|text| condition(text, &contexts, standing).err());
        errors.extend(failed.map(|error| error.to_string()));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
