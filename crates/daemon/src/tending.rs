//! What is done for backends of containers besides machines: the images of jobs that are still to come are pulled, at the
//! start and after a reload, and from time to time their engines are looked after.
//!
//! Pulled one at a time on each engine, so that the image of a job that waits is not kept waiting by all the others; that job begins
//! the pull of its own image at once. What cannot be pulled is told in the log, and is no error: the first job that needs it
//! tries again, and says why in its turn. An engine that is away is asked again until it is there; another refusal than that keeps
//! no other image waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backend::BackendError;
use backend_docker::DockerBackend;
use planner::error_class::{Acted, ErrorClass};
use planner::ids::BackendId;
use tokio::task::JoinSet;

use crate::chain;
use crate::machines::Backend;

/// Before an engine that is away is asked again. An image that a job needs is pulled without it.
const BETWEEN_TRIES: Duration = Duration::from_mins(1);

/// The images that each backend is to have.
pub(crate) type Images = BTreeMap<BackendId, BTreeSet<String>>;

/// The tasks. They end with this; pulls that are under way go on.
#[derive(Debug, Default)]
pub(crate) struct Tending {
    tasks: JoinSet<()>,
}

/// A backend, and the images that it is to have.
type Wanted = (BackendId, DockerBackend, BTreeSet<String>);

impl Tending {
    /// Ends what there is, and begins anew with these backends.
    pub(crate) fn begin(&mut self, backends: &BTreeMap<BackendId, Backend>, images: &Images) {
        self.tasks = JoinSet::new();
        for engine in by_engine(backends, images) {
            for (_, backend, _) in &engine {
                let backend = backend.clone();
                self.tasks.spawn(async move { backend.tend().await });
            }
            self.tasks.spawn(async move {
                for (id, backend, images) in &engine {
                    let bring_one = |image: String| async move { backend.bring(&image).await };
                    bring(id, images, BETWEEN_TRIES, bring_one).await;
                }
            });
        }
    }
}

fn by_engine(backends: &BTreeMap<BackendId, Backend>, images: &Images) -> Vec<Vec<Wanted>> {
    let mut engines: Vec<Vec<Wanted>> = Vec::new();
    for (id, backend) in backends {
        let (Backend::Docker(docker), Some(images)) = (backend, images.get(id)) else { continue };
        let wanted = (id.clone(), docker.clone(), images.clone());
        let same = |engine: &&mut Vec<Wanted>| engine.iter().any(|(_, other, _)| other.shares_engine_with(docker));
        match engines.iter_mut().find(same) {
            Some(engine) => engine.push(wanted),
            None => engines.push(vec![wanted]),
        }
    }
    engines
}

/// Brings all images of one backend, each as soon as its engine answers. The log tells once that it does not.
async fn bring<F: Future<Output = Result<(), BackendError>>>(
    id: &BackendId,
    images: &BTreeSet<String>,
    between_tries: Duration,
    bring_one: impl Fn(String) -> F,
) {
    let mut is_told = false;
    for image in images {
        while let Err(error) = bring_one(image.clone()).await {
            if !may_pass(&error) {
                tracing::warn!(backend = %id, image, error = chain(&error), "an image is not pulled ahead of jobs");
                break;
            }
            if !is_told {
                tracing::warn!(backend = %id, error = chain(&error), "images are not pulled ahead of jobs for now");
            }
            is_told = true;
            tokio::time::sleep(between_tries).await;
        }
    }
}

/// Whether the same question may be answered otherwise in a while: the engine was away, or did not come to it.
fn may_pass(error: &BackendError) -> bool {
    error.acted == Acted::Unasked || error.class == ErrorClass::Transient
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use backend_docker::WithUnstarted;
    use planner::error_class::Concerns;

    use super::*;
    use crate::config::tests::{Place, surroundings};
    use crate::config::{BackendKind, Config};

    fn config(place: &Place) -> Config {
        let text = "deployment = \"d\"\n[[forge]]\nurl = \"https://forge.example\"\ntoken_file = \"token\"\n\
             scopes = [\"org:acme\"]\n\
             [[pool]]\nname = \"p\"\nlabels = [\"a:docker://a:1\", \"b:docker://b:1\", \"gpu:host\"]\nbackend = \"one\"\nmax = 1\n\
             [[pool]]\nname = \"q\"\nlabels = [\"c:docker://c:1\"]\nbackend = \"two\"\nmax = 1\n\
             [[pool]]\nname = \"off\"\nlabels = [\"d:docker://d:1\"]\nbackend = \"one\"\nmax = 0\n\
             [[pool]]\nname = \"r\"\nlabels = [\"e:docker://e:1\"]\nbackend = \"far\"\nmax = 1\n\
             [backend.one]\nkind = \"docker\"\nimage = \"debian:13\"\n\
             [backend.two]\nkind = \"docker\"\nmode = \"nested\"\n\
             [backend.far]\nkind = \"docker\"\nhost = \"unix:///other.sock\"\n";
        Config::parse(text, place.path(), &surroundings(place)).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    #[tokio::test]
    async fn an_engine_that_was_away_is_given_all_images_once_it_is_there_and_a_refusal_concerns_one_image() {
        let (away, no_rights) =
            (Some((ErrorClass::Transient, Acted::Unasked)), Some((ErrorClass::Auth, Acted::Unasked)));
        let (lost, refused) = (Some((ErrorClass::Transient, Acted::Maybe)), Some((ErrorClass::Permanent, Acted::No)));
        let answers = RefCell::new([away, no_rights, None, refused, lost, None].into_iter());
        let asked = RefCell::new(Vec::new());
        let images = BTreeSet::from(["a:1", "b:1", "c:1"].map(str::to_owned));
        let bring_one = |image| {
            asked.borrow_mut().push(image);
            let answer = answers.borrow_mut().next().expect("no more questions");
            let failed = |(class, acted)| {
                Err(BackendError { doing: "bring".to_owned(), class, acted, concerns: Concerns::All, source: None })
            };
            std::future::ready(answer.map_or(Ok(()), failed))
        };
        bring(&BackendId::new("one"), &images, Duration::ZERO, bring_one).await;
        assert_eq!(*asked.borrow(), ["a:1", "a:1", "a:1", "b:1", "c:1", "c:1"]);
    }

    #[test]
    fn each_engine_gets_the_images_that_its_pools_name_in_one_row() {
        let place = Place::new();
        let config = config(&place);
        let images = config.images();
        let of =
            |id: &str| images.get(&BackendId::new(id)).map(|set| set.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(of("one"), Some(vec!["a:1", "b:1", "debian:13"]));
        assert_eq!(of("two"), Some(vec!["docker:dind"]), "a nested engine pulls for itself");
        assert_eq!(of("far"), Some(vec!["e:1"]));
        let mut backends = BTreeMap::new();
        for (id, configured) in &config.backends {
            let BackendKind::Docker(docker) = &configured.kind else { continue };
            let settings = docker.settings(&config.deployment, id, WithUnstarted::Leave);
            backends.insert(id.clone(), Backend::Docker(DockerBackend::new(settings).unwrap()));
        }
        let engines = by_engine(&backends, &images);
        let named: Vec<Vec<&str>> =
            engines.iter().map(|engine| engine.iter().map(|(id, ..)| id.as_str()).collect()).collect();
        assert_eq!(named, [vec!["far"], vec!["one", "two"]]);
    }
}
